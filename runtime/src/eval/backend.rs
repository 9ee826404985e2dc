//! What computes the instructions of a plan, whatever it computes with: ciphertexts on processors or other devices, or slots in
//! the clear.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// Computes instructions that [`execute`](super::execute) gives it in an order in which operands come before their readers.
///
/// Nothing here asks for results where a plan is read: a result is a handle, and [`compute`](Backend::compute) may return as soon as
/// the work is queued. A device with streams has a lane for each of them; what it returns holds its buffer and the event
/// that says when the buffer is full, and on another lane work waits for the events of its operands, on the device. The last reader of a
/// result may still be queued when the result is dropped, so that a device frees buffers in the order of its streams.
pub trait Backend: Sync {
    /// The result of an instruction, or a handle of it. It is dropped when nothing will be given it to read.
    type Data: Send + Sync;

    /// Calls `worker` once for each lane, with the lane's number, and returns when all calls have. Calls may be one after
    /// the other: each goes on until everything is computed or what is left is on other lanes.
    fn on_lanes(&self, worker: &(dyn Fn(usize) + Sync)) {
        worker(0);
    }

    /// Computes a bundle of instructions on a lane: for each its result, in order, of its operands, in order.
    fn compute(
        &self,
        lane: usize,
        bundle: Range<usize>,
        operands: &[Vec<Arc<Self::Data>>],
    ) -> Vec<Self::Data>;

    /// Lets time pass on a lane that has had nothing to do for so long, and says whether it had after all, such as parts of what
    /// another lane computes.
    fn wait(&self, _idle_for: Duration) -> bool {
        std::thread::yield_now();
        false
    }
}
