//! The processes under load: pinned to one core, ended when dropped, and what they cost.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{Outcome, client};

/// The core of the servers, and the one of the load.
const CORES: [usize; 2] = [0, 1];

/// Starts a command on the core of the servers. Not with `taskset`, which would be a part of every start.
#[cfg(target_os = "linux")]
fn spawn(command: &mut Command) -> Outcome<Child> {
    use rustix::thread::{CpuSet, sched_setaffinity};
    let on = |core: usize| {
        let mut set = CpuSet::new();
        set.set(core);
        sched_setaffinity(None, &set)
    };
    // A child begins where its parent is.
    on(CORES[0])?;
    let child = command.spawn();
    on(CORES[1])?;
    Ok(child?)
}

#[cfg(not(target_os = "linux"))]
fn spawn(_: &mut Command) -> Outcome<Child> {
    Err(format!("processes are pinned to the cores {CORES:?} on Linux alone").into())
}

/// A running server. Dropping it ends it.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    /// From being started to the first answer.
    pub start: Duration,
}

impl Server {
    /// Starts one that prints `listening on http://ADDRESS`, and waits until it answers.
    pub fn start(mut command: Command) -> Outcome<Self> {
        let started = Instant::now();
        let mut child = spawn(command.stdout(Stdio::piped()).stderr(Stdio::null()))?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no stdout")?).read_line(&mut line)?;
        let Some(address) = line.trim().strip_prefix("listening on http://") else {
            child.kill()?;
            child.wait()?;
            return Err(format!("{command:?} did not start").into());
        };
        let mut server = Self { child, address: address.parse()?, start: Duration::ZERO };
        client::ask(server.address, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")?;
        server.start = started.elapsed();
        Ok(server)
    }

    /// CPU time that its threads have spent so far.
    pub fn cpu(&self) -> Outcome<Duration> {
        let mut nanos = 0;
        for task in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            // A thread may end at any moment.
            if let Ok(stat) = std::fs::read_to_string(task?.path().join("schedstat")) {
                nanos += stat.split(' ').next().unwrap_or_default().parse::<u64>()?;
            }
        }
        Ok(Duration::from_nanos(nanos))
    }

    /// Resident memory in MB (10^6 bytes).
    pub fn memory(&self) -> Outcome<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib * 1.024 / 1000.0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGTERM, so that the database is closed in order; a server that does not listen is killed.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        for _ in 0..200 {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program that is told on its stdin to begin and prints one number each time. Dropping it ends it.
pub struct Gauge {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Gauge {
    pub fn start(mut command: Command) -> Outcome<Self> {
        let mut child = spawn(command.stdin(Stdio::piped()).stdout(Stdio::piped()))?;
        let stdin = child.stdin.take().ok_or("no stdin")?;
        let stdout = BufReader::new(child.stdout.take().ok_or("no stdout")?);
        Ok(Self { child, stdin, stdout })
    }

    pub fn read(&mut self) -> Outcome<f64> {
        writeln!(self.stdin)?;
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        Ok(line.trim().parse()?)
    }
}

impl Drop for Gauge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command to its end and returns what it printed.
pub fn output(command: &mut Command, input: &str) -> Outcome<String> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    child.stdin.take().ok_or("no stdin")?.write_all(input.as_bytes())?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        return Err(format!("{command:?} failed").into());
    }
    Ok(String::from_utf8(output.stdout)?)
}
