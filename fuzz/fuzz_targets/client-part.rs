#![no_main]
hecc_fuzz::target!("client-part");
