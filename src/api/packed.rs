//! Bodies that are made once and sent many times: as they are and compressed, each with its entity tag.

use std::io::{Read, Write};

use actix_web::http::header::{
    AcceptEncoding, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, Encoding, Header, HeaderName,
    HeaderValue, VARY,
};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use super::request::none_match;

/// See the module.
pub struct Packed {
    content_type: &'static str,
    plain: Bytes,
    /// Empty when it would not be smaller.
    gzip: Bytes,
    hash: String,
}

impl Packed {
    /// Hashes and compresses a body.
    pub fn new(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let plain = body.into();
        let hash = Sha256::digest(&plain).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let gzip = gzip(&plain).filter(|gzip| gzip.len() < plain.len()).unwrap_or_default();
        Self { content_type, plain, gzip: gzip.into(), hash }
    }

    /// A body that is compressed already.
    pub fn from_gzip(content_type: &'static str, gzip: &'static [u8]) -> Self {
        let mut plain = Vec::new();
        // What is embedded is whole: a test asks for it.
        let _ = GzDecoder::new(gzip).read_to_end(&mut plain);
        let hash = Sha256::digest(&plain).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Self { content_type, plain: plain.into(), gzip: Bytes::from_static(gzip), hash }
    }

    /// The beginning of the SHA-256 of the body, in hexadecimal.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The body as this client takes it, or 304 when it has that already.
    pub fn respond(&self, req: &HttpRequest, cache_control: &'static str) -> HttpResponse {
        let gzip = !self.gzip.is_empty() && takes_gzip(req);
        let etag = format!("\"{}{}\"", self.hash, if gzip { "-gzip" } else { "" });
        let known = none_match(req.headers(), &etag);
        let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        response
            .insert_header((ETAG, etag))
            .insert_header((CACHE_CONTROL, cache_control))
            .insert_header((VARY, "Accept-Encoding"));
        if known {
            return response.finish();
        }
        response.insert_header((CONTENT_TYPE, self.content_type)).insert_header((
            HeaderName::from_static("x-content-type-options"),
            HeaderValue::from_static("nosniff"),
        ));
        if gzip {
            response.insert_header((CONTENT_ENCODING, "gzip")).body(self.gzip.clone())
        } else {
            response.body(self.plain.clone())
        }
    }
}

/// Compresses; `None` should that fail.
pub fn gzip(body: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 3), Compression::new(5));
    encoder.write_all(body).ok()?;
    encoder.finish().ok()
}

/// Whether who asks takes gzip.
pub fn takes_gzip(req: &HttpRequest) -> bool {
    let known = [Encoding::gzip(), Encoding::identity()];
    AcceptEncoding::parse(req).ok().and_then(|accepted| accepted.negotiate(known.iter()))
        == Some(Encoding::gzip())
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use actix_web::body::MessageBody;
    use actix_web::test::TestRequest;

    use super::*;

    fn ask(packed: &Packed, headers: &[(&'static str, &str)]) -> (u16, Option<String>, String, usize) {
        let mut request = TestRequest::get();
        for header in headers {
            request = request.insert_header(*header);
        }
        let response = packed.respond(&request.to_http_request(), "no-cache");
        let text =
            |name: HeaderName| response.headers().get(name).map(|v| v.to_str().expect("ASCII").to_owned());
        let length = response.body().size();
        let length = match length {
            actix_web::body::BodySize::Sized(length) => length as usize,
            _ => 0,
        };
        (response.status().as_u16(), text(CONTENT_ENCODING), text(ETAG).expect("a tag"), length)
    }

    #[test]
    fn each_client_gets_the_form_it_takes_under_a_tag_of_its_own() {
        let packed = Packed::new("text/plain", "la ".repeat(1000));
        let (status, encoding, plain_tag, plain) = ask(&packed, &[]);
        assert_eq!((status, encoding, plain), (200, None, 3000));
        let (status, encoding, tag, length) = ask(&packed, &[("accept-encoding", "br, gzip;q=0.8, *;q=0.1")]);
        assert_eq!((status, encoding.as_deref()), (200, Some("gzip")));
        assert!(length < 100 && tag != plain_tag, "{length} {tag}");
        assert_eq!(ask(&packed, &[("accept-encoding", "gzip;q=0")]).1, None);
        let again = ask(&packed, &[("accept-encoding", "gzip"), ("if-none-match", &tag)]);
        assert_eq!((again.0, again.3), (304, 0));
        assert_eq!(ask(&packed, &[("if-none-match", &tag)]).0, 200, "that is the other form");
    }

    #[test]
    fn what_is_compressed_already_is_sent_as_it_is_and_unpacked_for_others() {
        static LA: LazyLock<Vec<u8>> =
            LazyLock::new(|| gzip("la ".repeat(1000).as_bytes()).expect("compressed"));
        let packed = Packed::from_gzip("text/plain", &LA);
        assert_eq!(ask(&packed, &[]).3, 3000);
        let (_, encoding, _, length) = ask(&packed, &[("accept-encoding", "gzip")]);
        assert_eq!((encoding.as_deref(), length), (Some("gzip"), LA.len()));
        assert_eq!(packed.hash(), Packed::new("text/plain", "la ".repeat(1000)).hash());
    }

    #[test]
    fn what_does_not_shrink_is_not_compressed() {
        let packed = Packed::new("text/plain", "x");
        assert_eq!(ask(&packed, &[("accept-encoding", "gzip")]).1, None);
    }
}
