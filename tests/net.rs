//! Nothing is sent to our own network, however the address is written and whatever a name says (SSRF); and whoever
//! is asked can neither hold us up nor fill our memory.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use featured::net::{Client, Failure, Lookup, Policy};

/// Hosts that must not be asked. Names are looked up by [`names`].
const REFUSED: &[&str] = &[
    // Loopback, in every spelling that a browser takes for an address.
    "127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "127.0.1",
    "127.0.0.2",
    "127.255.255.254",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0x7f.0x0.0x0.0x1",
    "0X7F.0.0.1",
    "017700000001",
    "0177.0.0.1",
    "0177.1",
    "00000177.0.0.01",
    "127.0.0.0x1",
    "127.0x1",
    "%31%32%37.0.0.1",
    "1%32%37.0.0.1",
    "127。0。0。1",
    "１２７.0.0.1",
    "①②⑦.⓪.⓪.①",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[0000::0001]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:7f00:1]",
    "[::127.0.0.1]",
    "[::7f00:1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::7f00:1]",
    "[64:ff9b:1:fffe::1]",
    "[::ffff:0:127.0.0.1]",
    "[2002:7f00:1::]",
    "[2002:7f00:0001::1]",
    "[2001:0:4136:e378:8000:63bf:80ff:fffe]",
    // This host.
    "0",
    "0.0.0.0",
    "0.0.0.1",
    "0x0",
    "0.1.2.3",
    "[::]",
    "[::ffff:0.0.0.0]",
    // Private.
    "10.0.0.1",
    "10.255.255.255",
    "167772161",
    "0xa000001",
    "012.0.0.1",
    "10.1",
    "172.16.0.1",
    "172.31.255.254",
    "0xac100001",
    "192.168.0.1",
    "192.168.1",
    "3232235521",
    "0300.0250.0.1",
    "0xc0.0xa8.0.1",
    "[::ffff:10.0.0.1]",
    "[::ffff:192.168.1.1]",
    "[64:ff9b::10.0.0.1]",
    "[64:ff9b::192.168.0.1]",
    "[2002:a00:1::]",
    "[2002:c0a8:1::1]",
    "[fc00::1]",
    "[fd00::1]",
    "[fd12:3456:789a:1::1]",
    "[fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]",
    // Link-local, where clouds keep their secrets.
    "169.254.169.254",
    "169.254.0.1",
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "0xa9.254.0251.0xfe",
    "169.254.43518",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:a9fe:a9fe::]",
    "[fe80::1]",
    "[febf::1]",
    "[fec0::1]",
    "[fd00:ec2::254]",
    // Shared, reserved, documentation, benchmarks, multicast.
    "100.64.0.1",
    "100.127.255.254",
    "100.100.100.200",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "4294967295",
    "0xffffffff",
    "[ff02::1]",
    "[ff0e::1]",
    "[2001:db8::1]",
    "[3fff::1]",
    "[2001:10::1]",
    "[2001:20::1]",
    "[100::1]",
    "[5f00::1]",
    "[4000::1]",
    "[8000::1]",
    "[2002:808:808::1]",
    // Names that say so, or say it among others.
    "localhost",
    "LOCALHOST",
    "localhost.",
    "loopback.test",
    "private.test",
    "metadata.test",
    "mapped.test",
    "translated.test",
    "six.test",
    "mixed.test",
    "mixed-last.test",
    "xn--bcher-kva.test",
    "bücher.test",
];

/// What the names of the table are.
fn names(host: &str) -> Vec<IpAddr> {
    let addresses: &[&str] = match host.trim_end_matches('.') {
        "localhost" => &["127.0.0.1", "::1"],
        "loopback.test" | "xn--bcher-kva.test" => &["127.0.0.1"],
        "private.test" => &["192.168.7.7"],
        "metadata.test" => &["169.254.169.254"],
        "mapped.test" => &["::ffff:10.0.0.1"],
        "translated.test" => &["64:ff9b::a00:1"],
        "six.test" => &["fd00::1"],
        "mixed.test" => &["10.0.0.1", "8.8.8.8"],
        "mixed-last.test" => &["8.8.8.8", "2001:4860:4860::8888", "::1"],
        _ => &[],
    };
    addresses.iter().map(|address| address.parse().unwrap()).collect()
}

fn lookup(find: impl Fn(&str) -> Vec<IpAddr> + Send + Sync + 'static) -> Lookup {
    Arc::new(move |host, port| {
        Ok(find(host).into_iter().map(|address| SocketAddr::new(address, port)).collect())
    })
}

#[test]
fn no_address_of_our_own_network_is_asked_however_it_is_written() {
    assert!(REFUSED.len() >= 100, "{}", REFUSED.len());
    // Port 9 (discard): were one asked after all, it would be refused or time out, which is another failure.
    for plain in [false, true] {
        let client = Client::with_lookup(Policy { plain, ..Policy::default() }, lookup(names));
        let scheme = if plain { "http" } else { "https" };
        for host in REFUSED {
            for url in [format!("{scheme}://{host}:9/hook"), format!("{scheme}://{host}/")] {
                let failure = client.post(&url, &[], b"{}", 1000).expect_err(&url);
                let Failure::Refused(why) = &failure else { panic!("{url} was asked: {failure}") };
                assert!(why.contains("not public"), "{url}: {why}");
                assert_eq!(client.get(&url, 1000).unwrap_err(), failure);
            }
        }
    }
}

#[test]
fn urls_that_nothing_should_be_sent_to_are_refused_with_a_reason() {
    let policy = Policy::default();
    for (url, why) in [
        ("", "must be a URL"),
        ("hooks.example", "must be a URL"),
        ("//hooks.example/x", "must be a URL"),
        ("http://hooks.example/", "must begin with https://"),
        ("ftp://hooks.example/", "must begin with https://"),
        ("file:///etc/passwd", "must begin with https://"),
        ("gopher://hooks.example/", "must begin with https://"),
        ("unix:/run/docker.sock", "must begin with https://"),
        ("javascript:alert(1)", "must begin with https://"),
        ("data:text/plain,x", "must begin with https://"),
        ("https://", "must be a URL"),
        ("https:///", "must be a URL"),
        ("https://user@hooks.example/", "must hold no user name"),
        ("https://user:pass@hooks.example/", "must hold no user name"),
        ("https://hooks.example@127.0.0.1/", "must hold no user name"),
        ("https://hooks.example/#x", "must hold no #"),
        ("https://hooks.example:99999/", "must be a URL"),
        ("https://[::1/", "must be a URL"),
        ("https://256.256.256.256/", "must be a URL"),
        ("https://a b/", "must be a URL"),
        ("https://127.0.0.1\\@hooks.example/", "not public"),
        ("https:127.0.0.1/", "not public"),
        ("https:/\\127.0.0.1/", "not public"),
        ("https://\t127.0.0.1\n/", "not public"),
    ] {
        let refused = policy.check(url).expect_err(url);
        assert!(refused.contains(why), "{url:?}: {refused}");
    }
    for url in
        ["https://hooks.example/a?b=c", "https://8.8.8.8/", "https://[2a00:1450::1]:8443/x", "HTTPS://x.io"]
    {
        policy.check(url).unwrap_or_else(|why| panic!("{url}: {why}"));
    }
    let long = format!("https://hooks.example/{}", "x".repeat(2048));
    assert!(policy.check(&long).is_err());
}

/// A server on loopback that does this with each connection.
fn server(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let serve = serve.clone();
            std::thread::spawn(move || serve(stream));
        }
    });
    port
}

/// Reads a request with its body; gives it as text.
fn request(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let whole = String::from_utf8_lossy(&text).into_owned();
        if let Some((head, body)) = whole.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok())
                .unwrap_or(0);
            if body.len() >= length {
                return whole;
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return whole,
            Ok(count) => text.extend_from_slice(&buffer[..count]),
        }
    }
}

fn loopback() -> Client {
    let allowed = vec!["127.0.0.0/8".parse().unwrap()];
    Client::new(Policy { plain: true, allowed, ..Policy::default() })
}

#[test]
fn a_name_is_looked_up_once_and_only_what_was_checked_is_connected_to() {
    let hits = Arc::new(AtomicUsize::new(0));
    let counted = hits.clone();
    let port = server(move |mut stream| {
        counted.fetch_add(1, Ordering::SeqCst);
        request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    });
    // A name that is public when it is checked and loopback a moment later. The public address is one of ours that
    // is allowed here (127.9.9.9); the other one is not.
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let flips = lookup(move |_| match count.fetch_add(1, Ordering::SeqCst) % 2 {
        0 => vec!["127.9.9.9".parse().unwrap()],
        _ => vec!["127.0.0.1".parse().unwrap()],
    });
    let policy = Policy { plain: true, allowed: vec!["127.9.9.9/32".parse().unwrap()], ..Policy::default() };
    let client = Client::with_lookup(policy, flips);
    let url = format!("http://rebinding.test:{port}/");
    let mut outcomes = Vec::new();
    for round in 1..=6 {
        let outcome = client.post(&url, &[], b"{}", 100);
        assert_eq!(asked.load(Ordering::SeqCst), round, "one look-up for each request");
        outcomes.push(matches!(outcome, Err(Failure::Refused(_))));
    }
    // What was checked as allowed went to 127.9.9.9, where nobody of this test listens on that very address; what
    // was checked as loopback was refused. Never did a request reach 127.0.0.1.
    assert_eq!(outcomes, [false, true, false, true, false, true]);
    assert_eq!(hits.load(Ordering::SeqCst), 0);
    // The server is there all right.
    let allowed = Policy {
        plain: true,
        allowed: vec!["127.0.0.1".parse::<IpAddr>().unwrap().into()],
        ..Policy::default()
    };
    let right = Client::with_lookup(allowed, lookup(|_| vec!["127.0.0.1".parse().unwrap()]));
    assert_eq!(right.post(&url, &[], b"{}", 100).unwrap().status, 200);
}

#[test]
fn what_is_sent_arrives_and_the_answer_comes_back() {
    let seen = Arc::new(Mutex::new(String::new()));
    let kept = seen.clone();
    let port = server(move |mut stream| {
        *kept.lock().unwrap() = request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 418 Teapot\r\nX-Kind: pot\r\ncontent-length: 5\r\n\r\nshort");
    });
    let headers = [("Content-Type".to_owned(), "application/json".to_owned()), ("X-A".into(), "b".into())];
    let answer =
        loopback().post(&format!("http://127.0.0.1:{port}/hook?x=1"), &headers, b"{\"a\":1}", 1000).unwrap();
    assert_eq!((answer.status, answer.body.as_slice(), answer.cut), (418, b"short".as_slice(), false));
    assert_eq!(answer.header("x-kind"), Some("pot"));
    let seen = seen.lock().unwrap().clone();
    assert!(seen.starts_with("POST /hook?x=1 HTTP/1.1\r\n"), "{seen}");
    let lower = seen.to_lowercase();
    assert!(lower.contains("\r\nx-a: b\r\n") && lower.contains("content-type: application/json"), "{seen}");
    assert!(lower.contains("user-agent: featured/") && seen.ends_with("\r\n\r\n{\"a\":1}"), "{seen}");
}

#[test]
fn redirects_are_answers_and_are_not_followed() {
    let hits = Arc::new(AtomicUsize::new(0));
    let counted = hits.clone();
    let target = server(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
    });
    for status in [301, 302, 303, 307, 308] {
        let port = server(move |mut stream| {
            request(&mut stream);
            let answer = format!(
                "HTTP/1.1 {status} X\r\nLocation: http://127.0.0.1:{target}/\r\ncontent-length: 0\r\n\r\n"
            );
            let _ = stream.write_all(answer.as_bytes());
        });
        let url = format!("http://127.0.0.1:{port}/");
        assert_eq!(loopback().post(&url, &[], b"{}", 100).unwrap().status, status);
        assert_eq!(loopback().get(&url, 100).unwrap().status, status);
    }
    assert_eq!(hits.load(Ordering::SeqCst), 0);
}

#[test]
fn a_long_answer_is_cut_off_or_refused() {
    let port = server(|mut stream| {
        request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        // Without an end, until the other side hangs up.
        while stream.write_all(&[b'x'; 8192]).is_ok() {}
    });
    let url = format!("http://127.0.0.1:{port}/");
    let answer = loopback().post(&url, &[], b"{}", 5000).unwrap();
    assert_eq!((answer.body.len(), answer.cut), (5000, true));
    let failure = loopback().get(&url, 5000).unwrap_err();
    assert!(failure.to_string().contains("larger than 5000 bytes"), "{failure}");
}

#[test]
fn an_answer_that_breaks_off_is_one_to_who_tells_and_none_to_who_asks() {
    let port = server(|mut stream| {
        request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 503 X\r\nRetry-After: 7\r\ncontent-length: 100\r\n\r\nshort");
    });
    let url = format!("http://127.0.0.1:{port}/");
    let answer = loopback().post(&url, &[], b"{}", 1000).unwrap();
    assert_eq!((answer.status, answer.body.as_slice(), answer.cut), (503, b"short".as_slice(), true));
    assert_eq!(answer.header("retry-after"), Some("7"));
    let why = answer.broken.unwrap().to_string();
    assert!(why.contains("closed before a whole answer"), "{why}");
    let failure = loopback().get(&url, 1000).unwrap_err();
    assert!(failure.to_string().contains("closed before a whole answer"), "{failure}");
}

#[test]
fn who_hangs_or_drips_is_given_up_in_time() {
    let hanging = server(|stream| {
        std::thread::sleep(Duration::from_secs(60));
        drop(stream);
    });
    let dripping = server(|mut stream| {
        request(&mut stream);
        for byte in b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n".iter().chain(&[b'x'; 100]) {
            if stream.write_all(&[*byte]).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(300));
        }
    });
    let dying = server(|mut stream| drop(request(&mut stream)));
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    std::thread::scope(|scope| {
        for (port, words) in [
            (hanging, "no whole answer within"),
            (dripping, "no whole answer within"),
            (dying, "closed before a whole answer"),
            (free, "refused"),
        ] {
            scope.spawn(move || {
                let begun = Instant::now();
                let failure =
                    loopback().post(&format!("http://127.0.0.1:{port}/"), &[], b"{}", 100).unwrap_err();
                assert!(failure.to_string().contains(words), "{failure:?}");
                assert!(begun.elapsed() < Duration::from_secs(40), "{:?}", begun.elapsed());
            });
        }
    });
}

#[test]
fn names_that_lead_nowhere_are_failures_not_refusals() {
    let client = Client::with_lookup(Policy::default(), lookup(|_| Vec::new()));
    let failure = client.get("https://nowhere.test/", 100).unwrap_err();
    assert_eq!(failure, Failure::Failed("the name has no address".into()));
}
