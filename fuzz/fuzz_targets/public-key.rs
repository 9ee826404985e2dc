#![no_main]
hecc_fuzz::target!("public-key");
