#![no_main]
hecc_fuzz::target!("network-text");
