//! The load: keep-alive connections on one thread, each sending its next request when the last is answered.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

use crate::Outcome;

/// Writes the request that one connection sends next: its number, how many it has sent, where to write.
pub type Requests = Rc<dyn Fn(usize, u64, &mut Vec<u8>)>;

/// One kind of load.
#[derive(Clone)]
pub struct Load {
    pub connections: usize,
    pub requests: Requests,
    pub status: u16,
    /// What the head of every answer must hold.
    pub expect: &'static str,
}

/// What a stretch of load came to.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    pub per_second: f64,
    pub answered: u64,
}

/// Loads a server for this long. An answer that is not as expected is an error.
pub fn run(address: SocketAddr, load: &Load, time: Duration) -> Outcome<Rate> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    local.block_on(&runtime, async {
        let started = Instant::now();
        let until = started + time;
        let tasks: Vec<_> = (0..load.connections)
            .map(|number| tokio::task::spawn_local(connection(address, load.clone(), number, until)))
            .collect();
        let mut answered = 0;
        for task in tasks {
            answered += task.await??;
        }
        Ok(Rate { per_second: answered as f64 / started.elapsed().as_secs_f64(), answered })
    })
}

async fn connection(address: SocketAddr, load: Load, number: usize, until: Instant) -> Outcome<u64> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut request, mut buffer) = (Vec::with_capacity(1024), vec![0; 256 << 10]);
    let mut answered = 0;
    while Instant::now() < until {
        request.clear();
        (load.requests)(number, answered, &mut request);
        stream.write_all(&request).await?;
        let answer = read(&mut stream, &mut buffer).await?;
        if answer.status != load.status || !answer.head.contains(load.expect) {
            return Err(format!("unexpected answer:\n{}", answer.head).into());
        }
        answered += 1;
    }
    Ok(answered)
}

struct Answer<'b> {
    status: u16,
    head: &'b str,
    length: usize,
}

/// Reads one answer; the body is counted, not kept.
async fn read<'b>(stream: &mut TcpStream, buffer: &'b mut [u8]) -> Outcome<Answer<'b>> {
    let mut filled = 0;
    let end = loop {
        let read = stream.read(&mut buffer[filled..]).await?;
        if read == 0 {
            return Err("the server closed a connection".into());
        }
        filled += read;
        if let Some(at) = buffer[..filled.min(2048)].windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
    };
    let (head, rest) = buffer.split_at_mut(end);
    let head = std::str::from_utf8(head)?;
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(Ok(0), str::parse::<usize>)?;
    let mut received = filled - end;
    while received < length {
        match stream.read(rest).await? {
            0 => return Err("the server closed a connection".into()),
            read => received += read,
        }
    }
    let status = head.get(9..12).unwrap_or_default().parse()?;
    Ok(Answer { status, head, length })
}

/// Sends one request on a connection of its own: status, head, length of the body.
pub fn ask(address: SocketAddr, request: &[u8]) -> Outcome<(u16, String, usize)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request).await?;
        let mut buffer = vec![0; 256 << 10];
        let answer = read(&mut stream, &mut buffer).await?;
        Ok((answer.status, answer.head.to_owned(), answer.length))
    })
}
