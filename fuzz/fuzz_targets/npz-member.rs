#![no_main]
hecc_fuzz::target!("npz-member");
