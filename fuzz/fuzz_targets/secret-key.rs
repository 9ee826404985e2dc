#![no_main]
hecc_fuzz::target!("secret-key");
