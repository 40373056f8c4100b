//! Numbers for Prometheus at `/metrics`. No label carries a key of a user or a Context.

use std::sync::OnceLock;
use std::time::Duration;

use prometheus::{
    Encoder, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

use crate::error::{Error, Result};
use crate::statsd::Statsd;

/// See the module. Counters of the request path are resolved here once, so that counting is an atomic add.
pub struct Metrics {
    registry: Registry,
    pub requests: [IntCounter; 5],
    pub request_seconds: Histogram,
    pub evaluations: IntCounter,
    pub cache_hits: IntCounter,
    pub cache_misses: IntCounter,
    pub rate_limited: IntCounter,
    pub writes: IntCounter,
    pub streams: IntGauge,
    pub features: IntGauge,
    pub broken_features: IntGauge,
    pub analytics_accepted: IntCounter,
    pub analytics_dropped: IntCounter,
    pub job_panics: IntCounter,
    pub webhooks_delivered: IntCounter,
    pub webhooks_failed: IntCounter,
    context_lookups: IntCounterVec,
    context_lookup_seconds: Histogram,
    context_writes: IntCounterVec,
    contexts: IntGaugeVec,
    /// Where the numbers of Contexts also go, when anybody asked for that.
    statsd: OnceLock<Statsd>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    pub fn new() -> Self {
        let registry = Registry::new();
        // Names and labels are constants that Prometheus accepts, and each is registered once.
        let counter =
            |name: &str, help: &str| register(&registry, IntCounter::with_opts(Opts::new(name, help)));
        let gauge = |name: &str, help: &str| register(&registry, IntGauge::with_opts(Opts::new(name, help)));
        let by_class = register(
            &registry,
            IntCounterVec::new(
                Opts::new("featured_http_requests_total", "Requests by class of status"),
                &["status"],
            ),
        );
        let seconds = HistogramOpts::new("featured_http_request_seconds", "Time until the answer was ready")
            .buckets(vec![0.00005, 0.0002, 0.001, 0.005, 0.02, 0.1, 0.5, 2.0]);
        Self {
            requests: ["1xx", "2xx", "3xx", "4xx", "5xx"].map(|class| by_class.with_label_values(&[class])),
            request_seconds: register(&registry, Histogram::with_opts(seconds)),
            evaluations: counter("featured_evaluations_total", "Features whose value was answered"),
            cache_hits: counter("featured_answer_cache_hits_total", "Answers taken from the cache"),
            cache_misses: counter("featured_answer_cache_misses_total", "Answers evaluated"),
            rate_limited: counter("featured_rate_limited_total", "Requests over a rate limit"),
            writes: counter("featured_writes_total", "Transactions that changed something"),
            streams: gauge("featured_streams", "Open event streams"),
            features: gauge("featured_features", "Features served"),
            broken_features: gauge(
                "featured_broken_features",
                "Features served as their default since they cannot be compiled",
            ),
            analytics_accepted: counter(
                "featured_analytics_accepted_total",
                "Evaluations reported by clients",
            ),
            analytics_dropped: counter(
                "featured_analytics_dropped_total",
                "Evaluations dropped since the buffer was full",
            ),
            webhooks_delivered: counter("featured_webhooks_delivered_total", "Events that a webhook took"),
            webhooks_failed: counter(
                "featured_webhooks_failed_total",
                "Tries to deliver an event that failed",
            ),
            job_panics: counter("featured_job_panics_total", "Background jobs that panicked"),
            context_lookups: register(
                &registry,
                IntCounterVec::new(
                    Opts::new("featured_context_lookups_total", "Subjects looked up among stored Contexts"),
                    &["result"],
                ),
            ),
            context_lookup_seconds: register(
                &registry,
                Histogram::with_opts(
                    HistogramOpts::new("featured_context_lookup_seconds", "Time a look-up took")
                        .buckets(vec![0.00001, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.005, 0.02, 0.1]),
                ),
            ),
            context_writes: register(
                &registry,
                IntCounterVec::new(
                    Opts::new("featured_context_writes_total", "Changes of stored Contexts"),
                    &["op"],
                ),
            ),
            contexts: register(
                &registry,
                IntGaugeVec::new(Opts::new("featured_contexts", "Stored Contexts"), &["env"]),
            ),
            statsd: OnceLock::new(),
            registry,
        }
    }

    /// Counts an answered request.
    pub fn answered(&self, status: u16, seconds: f64) {
        if let Some(counter) = self.requests.get(usize::from(status / 100).saturating_sub(1)) {
            counter.inc();
        }
        self.request_seconds.observe(seconds);
    }

    /// Also sends the numbers of Contexts to statsd from now on.
    pub fn send_to(&self, statsd: Statsd) {
        // It is set once, at start.
        let _ = self.statsd.set(statsd);
    }

    /// Counts a look-up: `found`, `unknown` where there is no such Context, or `refused`.
    pub fn looked_up(&self, result: &str, elapsed: Duration) {
        self.context_lookups.with_label_values(&[result]).inc();
        self.context_lookup_seconds.observe(elapsed.as_secs_f64());
        if let Some(statsd) = self.statsd.get() {
            statsd.count(&format!("featured.context_lookups.{result}"));
            statsd.time("featured.context_lookup", elapsed);
        }
    }

    /// Counts a change of stored Contexts.
    pub fn context_written(&self, op: &str) {
        self.context_writes.with_label_values(&[op]).inc();
        if let Some(statsd) = self.statsd.get() {
            statsd.count(&format!("featured.context_writes.{op}"));
        }
    }

    /// How many stored Contexts an environment (`site/environment`) has.
    pub fn count_contexts(&self, counts: &[(String, i64)]) {
        self.contexts.reset();
        for (environment, count) in counts {
            self.contexts.with_label_values(&[environment]).set(*count);
        }
    }

    /// Everything in Prometheus' text format.
    pub fn text(&self) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut out).map_err(Error::internal)?;
        Ok(out)
    }
}

#[allow(clippy::expect_used)]
fn register<C: prometheus::core::Collector + Clone + 'static>(
    registry: &Registry,
    collector: prometheus::Result<C>,
) -> C {
    let collector = collector.expect("metric names are constants");
    registry.register(Box::new(collector.clone())).expect("each metric is registered once");
    collector
}
