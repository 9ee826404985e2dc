#![no_main]
hecc_fuzz::target!("server-part");
