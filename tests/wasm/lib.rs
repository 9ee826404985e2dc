//! The client of a plan, for JavaScript without bindings: what goes in is written into a buffer that [`input`] makes, what comes out
//! is read from [`output`]. Whatever fails, traps.

use std::sync::{Mutex, MutexGuard};

use hecc::Client;

static INPUT: Mutex<Vec<u8>> = Mutex::new(vec![]);
static OUTPUT: Mutex<Vec<u8>> = Mutex::new(vec![]);
static CLIENT: Mutex<Option<Client>> = Mutex::new(None);

fn locked<T>(mutex: &'static Mutex<T>) -> MutexGuard<'static, T> {
    mutex.lock().expect("there is one thread")
}

fn taken() -> Vec<u8> {
    std::mem::take(&mut locked(&INPUT))
}

/// Makes room for what the next call takes.
#[unsafe(no_mangle)]
pub extern "C" fn input(len: usize) -> *mut u8 {
    let mut input = locked(&INPUT);
    *input = vec![0; len];
    input.as_mut_ptr()
}

/// What the last call gave; [`output_len`] bytes.
#[unsafe(no_mangle)]
pub extern "C" fn output() -> *const u8 {
    locked(&OUTPUT).as_ptr()
}

/// See [`output`].
#[unsafe(no_mangle)]
pub extern "C" fn output_len() -> usize {
    locked(&OUTPUT).len()
}

/// Takes a client part, makes a secret key for it and gives its file.
#[unsafe(no_mangle)]
pub extern "C" fn generate() {
    let client = Client::generate(taken()).expect("a client part and random numbers");
    *locked(&OUTPUT) = client.secret_key().to_vec();
    *locked(&CLIENT) = Some(client);
}

/// Gives the file of evaluation keys.
#[unsafe(no_mangle)]
pub extern "C" fn evaluation_keys() {
    *locked(&OUTPUT) = with_client(Client::evaluation_keys).expect("random numbers");
}

/// Takes 64-bit floats, the elements of the only input, and gives their encryption.
#[unsafe(no_mangle)]
pub extern "C" fn encrypt() {
    let elements = taken();
    let elements = elements.as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes));
    let elements: Vec<f64> = elements.collect();
    *locked(&OUTPUT) = with_client(|client| client.encrypt(&[&elements])).expect("an input");
}

/// Takes an encrypted result and gives the elements of the first output for the first example.
#[unsafe(no_mangle)]
pub extern "C" fn decrypt() {
    let results = taken();
    let results = with_client(|client| client.decrypt(results)).expect("a result");
    *locked(&OUTPUT) = results[0][0].values.iter().flat_map(|x| x.to_le_bytes()).collect();
}

fn with_client<T>(f: impl FnOnce(&Client) -> T) -> T {
    f(locked(&CLIENT).as_ref().expect("`generate` came first"))
}
