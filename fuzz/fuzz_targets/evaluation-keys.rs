#![no_main]
hecc_fuzz::target!("evaluation-keys");
