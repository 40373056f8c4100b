//! Counters and timers over UDP, as statsd takes them (featuresd.md §7.4). What cannot be sent at once is lost: nothing
//! waits for it.

use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::time::Duration;

/// See the module.
#[derive(Debug)]
pub struct Statsd(UdpSocket);

impl Statsd {
    /// Sends to `host:port` from now on. The name is looked up once.
    pub fn open(address: &str) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("--statsd {address}: {error}");
        let target = address.to_socket_addrs().map_err(failed)?.next();
        let target = target.ok_or_else(|| format!("--statsd {address}: no such host"))?;
        let any = match target {
            SocketAddr::V4(_) => "0.0.0.0:0",
            SocketAddr::V6(_) => "[::]:0",
        };
        let socket = UdpSocket::bind(any).map_err(failed)?;
        socket.connect(target).map_err(failed)?;
        socket.set_nonblocking(true).map_err(failed)?;
        Ok(Self(socket))
    }

    /// One more of something.
    pub fn count(&self, name: &str) {
        self.send(&format!("{name}:1|c"));
    }

    /// How long something took, in milliseconds.
    pub fn time(&self, name: &str, elapsed: Duration) {
        self.send(&format!("{name}:{:.3}|ms", elapsed.as_secs_f64() * 1000.0));
    }

    fn send(&self, line: &str) {
        // Nobody listening, or a full buffer: it is only a number.
        let _ = self.0.send(line.as_bytes());
    }
}
