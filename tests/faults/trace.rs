//! Runs a command under ptrace and interferes with one of its system calls that change files: before such a call and after
//! it files differ, between two of them they do not, so these are all the moments at which an end matters.

#![expect(unsafe_code, reason = "ptrace has no safe interface in the standard library")]

use std::collections::HashMap;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use libc::{c_int, pid_t, user_regs_struct};

/// What happens at a system call that changes files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The process is killed before it.
    Kill,
    /// It fails with this error.
    Error(c_int),
    /// It and all that follow and need space fail: the disk is full from here on.
    Full,
    /// It and all that follow and change something fail: the file system became read-only.
    ReadOnly,
}

/// How a traced command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit status; none if it was killed.
    pub(crate) code: Option<i32>,
    pub(crate) stderr: String,
    /// System calls that changed files, or would have.
    pub(crate) calls: usize,
    /// Whether the command had no way to remove what it no longer needs.
    pub(crate) could_not_remove: bool,
}

/// Runs a command with a fault at its `at`-th system call that changes files below `folder`. `None` if this system does not
/// let processes be traced.
pub(crate) fn run(
    mut command: Command,
    folder: &Path,
    fault: Option<(usize, Fault)>,
) -> Option<Ended> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    // SAFETY: the call is safe between fork and exec.
    unsafe {
        command.pre_exec(|| match libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        });
    }
    let mut child = command.spawn().ok()?;
    let pid = child.id() as pid_t;
    let mut tracer = Tracer { pid, folder, fault, calls: 0, inside: HashMap::new(), code: None };
    tracer.follow();
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    let is_read_only = fault.is_some_and(|(_, fault)| fault == Fault::ReadOnly);
    let could_not_remove = tracer.code.is_none() || is_read_only;
    Some(Ended { code: tracer.code, stderr, calls: tracer.calls, could_not_remove })
}

/// A system call that a thread is in, and what it is to return instead of what it does.
struct Inside {
    result: Option<c_int>,
}

struct Tracer<'a> {
    pid: pid_t,
    folder: &'a Path,
    fault: Option<(usize, Fault)>,
    calls: usize,
    inside: HashMap<pid_t, Inside>,
    code: Option<i32>,
}

impl Tracer<'_> {
    /// Until the process and all its threads are gone.
    fn follow(&mut self) {
        let mut begun = false;
        loop {
            let mut status = 0;
            // SAFETY: `status` lives as long as the call. Only children of this thread are waited for.
            let tid = unsafe { libc::waitpid(-1, &mut status, libc::__WALL | libc::__WNOTHREAD) };
            if tid < 0 {
                return;
            }
            if libc::WIFEXITED(status) || libc::WIFSIGNALED(status) {
                if tid == self.pid && libc::WIFEXITED(status) {
                    self.code = Some(libc::WEXITSTATUS(status));
                }
                continue;
            }
            let signal = libc::WSTOPSIG(status);
            let mut deliver = 0;
            if !begun {
                begun = true;
                let options = libc::PTRACE_O_TRACESYSGOOD
                    | libc::PTRACE_O_TRACECLONE
                    | libc::PTRACE_O_EXITKILL;
                ask(libc::PTRACE_SETOPTIONS, tid, options as usize);
            } else if signal == libc::SIGTRAP | 0x80 {
                self.system_call(tid);
            } else if signal != libc::SIGTRAP && signal != libc::SIGSTOP {
                deliver = signal as usize;
            }
            ask(libc::PTRACE_SYSCALL, tid, deliver);
        }
    }

    /// At the beginning or the end of a system call.
    fn system_call(&mut self, tid: pid_t) {
        let Some(mut regs) = registers(tid) else { return };
        match self.inside.remove(&tid) {
            Some(Inside { result: Some(error) }) => {
                regs.rax = i64::from(-error) as u64;
                set_registers(tid, &regs);
            }
            Some(Inside { result: None }) => {}
            None => {
                let result = self.interfere(tid, &regs);
                if result.is_some() {
                    // No such call: nothing is done.
                    regs.orig_rax = u64::MAX;
                    set_registers(tid, &regs);
                }
                self.inside.insert(tid, Inside { result });
            }
        }
    }

    /// Counts a call that changes files, and says with what it is to fail.
    fn interfere(&mut self, tid: pid_t, regs: &user_regs_struct) -> Option<c_int> {
        let change = self.change(tid, regs)?;
        let place = self.calls;
        self.calls += 1;
        let (at, fault) = self.fault?;
        match fault {
            Fault::Kill if place == at => {
                // SAFETY: the process is a child that was not waited for.
                unsafe { libc::kill(self.pid, libc::SIGKILL) };
                None
            }
            Fault::Error(error) => (place == at).then_some(error),
            Fault::Full => (place >= at && change == Change::Grows).then_some(libc::ENOSPC),
            Fault::ReadOnly => (place >= at && change != Change::Syncs).then_some(libc::EROFS),
            Fault::Kill => None,
        }
    }

    /// What a call changes below the folder.
    fn change(&self, tid: pid_t, regs: &user_regs_struct) -> Option<Change> {
        let creates = |flags: u64| {
            flags as c_int & (libc::O_CREAT | libc::O_TMPFILE & !libc::O_DIRECTORY) != 0
        };
        let in_folder = |fd: u64| {
            let file = std::fs::read_link(format!("/proc/{tid}/fd/{fd}"));
            file.is_ok_and(|file| file.starts_with(self.folder))
        };
        match regs.orig_rax as i64 {
            libc::SYS_openat if creates(regs.rdx) => Some(Change::Grows),
            libc::SYS_open if creates(regs.rsi) => Some(Change::Grows),
            libc::SYS_mkdir | libc::SYS_mkdirat => Some(Change::Grows),
            libc::SYS_write
            | libc::SYS_writev
            | libc::SYS_pwrite64
            | libc::SYS_ftruncate
            | libc::SYS_fallocate
            | libc::SYS_copy_file_range
                if in_folder(regs.rdi) =>
            {
                Some(Change::Grows)
            }
            libc::SYS_fsync | libc::SYS_fdatasync if in_folder(regs.rdi) => Some(Change::Syncs),
            libc::SYS_rename
            | libc::SYS_renameat
            | libc::SYS_renameat2
            | libc::SYS_link
            | libc::SYS_linkat
            | libc::SYS_unlink
            | libc::SYS_unlinkat
            | libc::SYS_symlink
            | libc::SYS_symlinkat => Some(Change::Moves),
            _ => None,
        }
    }
}

/// What a system call does to files.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    /// Takes space.
    Grows,
    /// Changes names.
    Moves,
    /// Waits for the disk.
    Syncs,
}

fn ask(request: libc::c_uint, tid: pid_t, data: usize) {
    // SAFETY: these requests read and write no memory of this process. A thread that is gone is an error that does not matter.
    unsafe { libc::ptrace(request, tid, 0, data) };
}

fn registers(tid: pid_t) -> Option<user_regs_struct> {
    // SAFETY: a struct of integers may be zero; it lives as long as the call that fills it.
    unsafe {
        let mut regs: user_regs_struct = std::mem::zeroed();
        (libc::ptrace(libc::PTRACE_GETREGS, tid, 0, &raw mut regs) == 0).then_some(regs)
    }
}

fn set_registers(tid: pid_t, regs: &user_regs_struct) {
    // SAFETY: the registers live as long as the call that reads them.
    unsafe { libc::ptrace(libc::PTRACE_SETREGS, tid, 0, std::ptr::from_ref(regs)) };
}
