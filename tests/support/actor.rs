//! Who calls, what they send, and what they get.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody, to_bytes};
use actix_web::dev::ServiceResponse;
use actix_web::http::Method;
use actix_web::http::header::HeaderMap;
use actix_web::test::TestRequest;
use futures_util::future::LocalBoxFuture;
use serde_json::Value;

/// Takes a request through the routes.
pub type Call = Rc<dyn Fn(TestRequest) -> LocalBoxFuture<'static, ServiceResponse<BoxBody>>>;

/// Somebody with or without a credential, at an address.
#[derive(Clone)]
pub struct Actor {
    call: Call,
    bearer: Option<String>,
    address: SocketAddr,
}

impl Actor {
    pub fn new(call: Call, bearer: Option<String>) -> Self {
        Self { call, bearer, address: SocketAddr::from(([192, 0, 2, 1], 40_000)) }
    }

    /// The same one, calling from elsewhere.
    pub fn at(&self, address: &str) -> Self {
        Self { address: SocketAddr::new(address.parse().expect("an address"), 40_000), ..self.clone() }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.ask("GET", path).send().await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.ask("POST", path).json(&body).send().await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Reply {
        self.ask("PATCH", path).json(&body).send().await
    }

    pub async fn put(&self, path: &str, body: Value) -> Reply {
        self.ask("PUT", path).json(&body).send().await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.ask("DELETE", path).send().await
    }

    /// A request to be filled in.
    pub fn ask(&self, method: &str, path: &str) -> Ask {
        let method: Method = method.parse().expect("a method");
        let mut request = TestRequest::default().method(method).uri(path).peer_addr(self.address);
        if let Some(bearer) = &self.bearer {
            request = request.insert_header(("authorization", format!("Bearer {bearer}")));
        }
        Ask { call: self.call.clone(), request }
    }
}

/// See [`Actor::ask`].
pub struct Ask {
    call: Call,
    request: TestRequest,
}

impl Ask {
    pub fn header(self, name: &str, value: &str) -> Self {
        Self { request: self.request.insert_header((name, value)), ..self }
    }

    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    pub fn body(self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let request = self.request.insert_header(("content-type", content_type)).set_payload(body.into());
        Self { request, ..self }
    }

    pub async fn send(self) -> Reply {
        let response = (self.call)(self.request).await;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let bytes = to_bytes(response.into_body()).await.expect("a body");
        Reply::new(status, headers, bytes.to_vec())
    }

    /// Opens an event stream.
    pub async fn open(self) -> Stream {
        let response = (self.call)(self.request).await;
        assert_eq!(response.status(), 200, "the stream opens");
        assert_eq!(response.headers().get("content-type").expect("a type"), "text/event-stream");
        Stream { body: response.into_body(), buffer: String::new() }
    }
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    pub bytes: Vec<u8>,
    /// The body as JSON; null when it is none.
    pub body: Value,
}

impl Reply {
    fn new(status: u16, headers: HeaderMap, bytes: Vec<u8>) -> Self {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let body = serde_json::from_str(&text).unwrap_or_default();
        Self { status, headers, text, bytes, body }
    }

    /// The reply, which must have this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    /// Fails unless the reply is this error.
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.code()), (status, code), "{}", self.text);
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("ASCII"))
    }

    pub fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }

    pub fn message(&self) -> &str {
        self.body["error"]["message"].as_str().unwrap_or_default()
    }

    /// The fields of `details`, where that is a list.
    pub fn fields(&self) -> Vec<&str> {
        let details = self.body["error"]["details"].as_array();
        details.into_iter().flatten().map(|one| one["field"].as_str().expect("a field")).collect()
    }

    /// A member of every item of a list.
    pub fn items(&self, member: &str) -> Vec<&str> {
        let items = self.body["items"].as_array().unwrap_or_else(|| panic!("no list: {}", self.text));
        items.iter().map(|item| item[member].as_str().unwrap_or_default()).collect()
    }
}

/// An open event stream.
pub struct Stream {
    body: BoxBody,
    buffer: String,
}

/// One event of a stream.
#[derive(Debug)]
pub struct Event {
    pub name: String,
    pub id: Option<String>,
    pub data: Value,
}

impl Stream {
    /// The next event; comments are passed over.
    pub async fn next(&mut self) -> Event {
        self.next_or_end().await.expect("an event, not the end of the stream")
    }

    /// The next event, or `None` when the stream has ended.
    pub async fn next_or_end(&mut self) -> Option<Event> {
        loop {
            while let Some((frame, rest)) = self.buffer.split_once("\n\n") {
                let event = read_event(frame);
                self.buffer = rest.to_owned();
                if event.is_some() {
                    return event;
                }
            }
            let chunk = poll_fn(|cx| Pin::new(&mut self.body).poll_next(cx));
            let chunk =
                tokio::time::timeout(Duration::from_secs(30), chunk).await.expect("something, in time");
            self.buffer += std::str::from_utf8(&chunk?.expect("bytes")).expect("UTF-8");
        }
    }
}

/// The event of a frame; `None` where it has no data.
fn read_event(frame: &str) -> Option<Event> {
    let field = |name: &str| {
        frame.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).map(str::to_owned)
    };
    let data = field("data")?;
    Some(Event {
        name: field("event").unwrap_or_default(),
        id: field("id"),
        data: serde_json::from_str(&data).expect("JSON"),
    })
}

/// A path with a query whose values are encoded.
pub fn query(path: &str, parameters: &[(&str, &str)]) -> String {
    let mut text = url::form_urlencoded::Serializer::new(String::new());
    text.extend_pairs(parameters);
    format!("{path}?{}", text.finish())
}
