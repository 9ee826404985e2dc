#![no_main]
hecc_fuzz::target!("plan-text");
