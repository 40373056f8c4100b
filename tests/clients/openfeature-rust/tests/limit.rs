//! A process of its own: once the provider was told to wait, it waits in every client of the process.

use open_feature::{EvaluationErrorCode, OpenFeature};
use open_feature_ofrep::{OfrepOptions, OfrepProvider};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};

fn required(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: start the suites with tests/clients/run.sh"))
}

#[tokio::test]
async fn who_is_over_the_limit_is_told_so_and_asks_no_more() {
    let value = format!("Bearer {}", required("FEATURED_OPENFEATURE_SLOW_TOKEN"));
    let options = OfrepOptions {
        base_url: required("FEATURED_URL"),
        headers: HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_str(&value).expect("a header"))]),
        ..Default::default()
    };
    let provider = OfrepProvider::new(options).await.expect("a provider");
    let mut api = OpenFeature::singleton_mut().await;
    api.set_provider(provider).await;
    let client = api.create_client();
    // The first may be answered; nobody minds.
    let _ = client.get_bool_value("bool-on", None, None).await;
    for _ in 0..2 {
        let error = client.get_bool_value("bool-on", None, None).await.expect_err("an error");
        let limited = matches!(&error.code, EvaluationErrorCode::General(text) if text.contains("Rate limit"));
        assert!(limited, "{:?}", error.code);
    }
}
