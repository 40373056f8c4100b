//! The built binary, killed three times over: 10 000 events, none lost, and a bad receiver delays no other.

use std::collections::HashMap;
use std::time::Instant;

use serde_json::{Value, json};

use super::receiver::{Do, Receiver};
use crate::binary::{Place, Server, text};

const ROUNDS: usize = 4;
const EACH: usize = 2500;
const ARGS: &[&str] =
    &["--dev", "--webhook-allow-private", "127.0.0.0/8", "--webhook-timeout", "2", "--workers", "8"];
/// Every way to fail.
const FAILURES: [Do; 5] = [Do::Answer(500), Do::Die, Do::Redirect(1), Do::Drip, Do::Hang];

/// Many changes at once: features in prod, and a few in dev.
fn change(server: &Server, round: usize) {
    let features = |prefix: &str, count: usize| -> Vec<Value> {
        (0..count)
            .map(|number| json!({"key": format!("{prefix}-{round}-{number}"), "type": "NUMBER", "defaultValue": number}))
            .collect()
    };
    let document = json!({
        "version": 1, "site": {"slug": "shop", "name": "Shop"},
        "environments": [
            {"name": "prod", "features": features("p", EACH - 10)},
            {"name": "dev", "features": features("d", 10)},
        ],
    });
    server.admin().post("/api/v1/sites/shop/import", &document).expect(200);
}

#[test]
fn ten_thousand_events_survive_three_kills_and_a_bad_receiver_delays_no_other() {
    let place = Place::shop();
    let mut server = place.serve_with(ARGS);
    let good = Receiver::that(Do::Answer(200));
    let hanging = Receiver::that(Do::Hang);
    // Each fails in its own way in the midst of it.
    let moody =
        FAILURES.map(|does| Receiver::new(move |_, before| if before == 3 { does } else { Do::Answer(200) }));
    let make = |server: &Server, receiver: &Receiver, environment: Value| {
        let body = json!({
            "siteId": "shop", "url": receiver.url(), "events": ["feature.created"], "environmentId": environment,
        });
        text(&server.admin().post("/api/v1/webhooks", &body).expect(201)["id"])
    };
    let hung = make(&server, &hanging, Value::Null);
    make(&server, &good, Value::Null);
    for one in &moody {
        make(&server, one, json!("dev"));
    }
    // `shop` brings events of its own, from before there was anybody to tell.
    let begun = Instant::now();
    for round in 0..ROUNDS {
        let before = good.count();
        change(&server, round);
        if round < ROUNDS - 1 {
            // In the midst of delivering.
            super::until_within(super::PATIENCE * 5, "some deliveries", || {
                (good.count() > before + EACH / 4).then_some(())
            });
            server.kill();
            server = place.serve_with(ARGS);
        }
    }
    // Every event that was recorded after the webhooks were made, by its id.
    let conn = place.open();
    let mut statement = conn
        .prepare(
            "SELECT o.uuid, json_extract(c.payload, '$.after.key') FROM outbox o JOIN changes c ON c.number = o.change_number
              WHERE c.number > (SELECT max(number) FROM changes WHERE entity = 'webhook') AND o.event = 'feature.created'
              ORDER BY c.number",
        )
        .expect("SQL");
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
    let events: Vec<(String, String)> = rows.collect::<rusqlite::Result<_>>().expect("rows");
    assert_eq!(events.len(), ROUNDS * EACH);

    let arrived = |receiver: &Receiver| -> (Vec<String>, HashMap<String, String>) {
        let (mut order, mut bodies) = (Vec::new(), HashMap::<String, String>::new());
        for one in receiver.all() {
            match bodies.get(&one.id()) {
                Some(body) => assert_eq!(*body, one.body, "a duplicate is the same"),
                None => {
                    order.push(one.id());
                    bodies.insert(one.id(), one.body);
                }
            }
        }
        (order, bodies)
    };
    super::until_within(super::PATIENCE * 15, "every event", || {
        (good.events() >= events.len()).then_some(())
    });
    let (order, bodies) = arrived(&good);
    let expected: Vec<&String> = events.iter().map(|(id, _)| id).collect();
    assert_eq!(order.iter().collect::<Vec<_>>(), expected, "each of them, in order");
    for (id, key) in &events {
        let body: Value = serde_json::from_str(&bodies[id]).expect("JSON");
        assert_eq!(body["data"]["feature"]["key"], json!(key));
    }
    // The one that hangs is still at its first event, and that was nobody else's trouble.
    let (stuck, _) = arrived(&hanging);
    assert_eq!(stuck, [events[0].0.clone()]);
    let log = server.admin().get(&format!("/api/v1/webhooks/{hung}/deliveries")).expect(200);
    assert!(log["items"].as_array().is_some_and(|tries| tries.iter().all(|one| one["outcome"] == "failed")));
    // The moody ones got all of their events in the end, the failed one again under its id.
    let dev: Vec<&String> =
        events.iter().filter(|(_, key)| key.starts_with("d-")).map(|(id, _)| id).collect();
    let last = dev.last().expect("events");
    for (moody, does) in moody.iter().zip(FAILURES) {
        super::until_within(super::PATIENCE * 5, "every event of a moody one", || {
            (moody.events() == dev.len()).then_some(())
        });
        super::until("the last of them", || {
            moody.all().last().is_some_and(|one| one.id() == **last).then_some(())
        });
        let (order, _) = arrived(moody);
        assert_eq!(order.iter().collect::<Vec<_>>(), dev, "{does:?}");
        let failed = moody.all()[3].id();
        let tries = moody.all().iter().filter(|one| one.id() == failed).count();
        assert!(tries >= 2, "what failed was tried again: {does:?}");
    }
    let twice = good.count() - events.len();
    eprintln!("{} events in {:.1} s, {twice} of them twice", events.len(), begun.elapsed().as_secs_f64());
    assert_eq!(server.terminate().code(), Some(0));
    assert!(place.run(["check"]).ok().starts_with("ok, "));
}
