//! Evaluation by HTTP: look-up, rows of a batch, echo, debug log, exposures (flagr.md §4).

use serde_json::{Value, json};

use super::Flagr;
use crate::engine::rows;

#[actix_web::test]
async fn an_answer_has_the_members_of_the_contract() {
    let flagr = Flagr::new().await;
    flagr.app.set_time("2026-01-02T03:04:05.678Z");
    let (flag, [control, new], segment) = flagr.split("checkout").await;
    flagr.post(&format!("/flags/{flag}/tags"), json!({"value": "web"})).await;
    let sent = json!({"entityID": "ann", "entityType": "user", "entityContext": {"n": 1.50, "x": null},
        "flagID": flag, "flagKey": null});
    // As text: numbers are echoed as they came.
    let text = sent.to_string().replace("\"n\":1.5", "\"n\":1.50");
    let ask = flagr.admin.ask("POST", &format!("{}/evaluation", super::API)).body("application/json", text);
    let answer = ask.send().await.expect(200);
    // Flag 1: ann falls into one of the two halves, and stays there.
    let bucket = featured::engine::bucket::crc32(&flag.to_string(), "ann");
    let (variant, key) = if bucket < 500 { (control, "control") } else { (new, "new") };
    let max = flagr.get("/flags/snapshots/max_id").await["maxID"].clone();
    let expected = json!({"flagID": flag, "flagKey": "checkout", "flagSnapshotID": max, "flagTags": ["web"],
        "segmentID": segment, "variantID": variant, "variantKey": key, "variantAttachment": {"name": key},
        "evalContext": {"flagID": flag, "entityID": "ann", "entityType": "user", "entityContext": {"n": 1.5, "x": null}},
        "evalDebugLog": {"segmentDebugLogs": null}, "recordSource": "evaluation",
        "timestamp": "2026-01-02T03:04:05Z"});
    assert_eq!(answer.body, expected);
    assert!(answer.text.contains(r#""n":1.50"#), "{}", answer.text);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    // By GET the same.
    let json = r#"{"entityID":"ann","entityType":"user","entityContext":{"n":1.50,"x":null},"flagID":FLAG}"#;
    let json = json.replace("FLAG", &flag.to_string());
    let query = crate::support::query("/evaluation", &[("json", &json)]);
    assert_eq!(flagr.get(&query).await, expected);
    // The flag's entity type takes the place of the request's; data records are told.
    flagr.put(&format!("/flags/{flag}"), json!({"entityType": "report", "dataRecordsEnabled": true})).await;
    let answer = flagr
        .post("/evaluation", json!({"entityID": "ann", "entityType": "user", "flagKey": "checkout"}))
        .await;
    assert_eq!(
        answer["evalContext"],
        json!({"entityID": "ann", "entityType": "report", "flagKey": "checkout"})
    );
    assert_eq!(answer["dataRecordsEnabled"], true);
    assert_eq!(flagr.get("/flags/entity_types").await, json!(["report"]));
}

#[actix_web::test]
async fn what_gives_nothing_says_why_and_has_no_variant() {
    let flagr = Flagr::new().await;
    let (flag, _, segment) = flagr.split("f").await;
    let empty = flagr.post("/flags", json!({"key": "empty", "description": "d"})).await["id"].clone();
    flagr.put(&format!("/flags/{empty}/enabled"), json!({"enabled": true})).await;
    let off = flagr.post("/flags", json!({"key": "off", "description": "d"})).await["id"].clone();
    let blank = async |sent: Value, number: &Value, key: &str, message: String| {
        let answer = flagr.post("/evaluation", sent.clone()).await;
        for name in ["variantKey", "variantID", "segmentID", "variantAttachment"] {
            assert!(answer.get(name).is_none(), "{name} {answer}");
        }
        assert_eq!(answer.get("flagID").unwrap_or(&Value::Null), number, "{answer}");
        assert_eq!(answer["flagKey"].as_str().unwrap_or_default(), key);
        let log = if message.is_empty() {
            json!({"segmentDebugLogs": null})
        } else {
            json!({"msg": message, "segmentDebugLogs": null})
        };
        assert_eq!(answer["evalDebugLog"], log, "{sent}");
        answer
    };
    let answer =
        blank(json!({"flagKey": "gone"}), &Value::Null, "gone", "flagID 0 not found or deleted".into()).await;
    // Nobody is made up where nothing is evaluated.
    assert_eq!(answer["evalContext"], json!({"flagKey": "gone"}));
    blank(json!({"flagID": 77}), &json!(77), "", "flagID 77 not found or deleted".into()).await;
    blank(json!({"flagKey": "off"}), &off, "off", format!("flagID {off} is not enabled")).await;
    blank(json!({"flagKey": "empty"}), &empty, "empty", format!("flagID {empty} has no segments")).await;
    flagr
        .put(&format!("/flags/{flag}/segments/{segment}"), json!({"description": "all", "rolloutPercent": 0}))
        .await;
    let answer = blank(json!({"flagID": flag, "entityID": "e"}), &json!(flag), "f", String::new()).await;
    assert!(answer.get("flagSnapshotID").is_some());
}

#[actix_web::test]
async fn entities_without_an_id_get_one_each_time_and_null_context_members_fail_only_what_reads_them() {
    let flagr = Flagr::new().await;
    let (flag, _, segment) = flagr.split("f").await;
    let entity = json!({"entityID": null, "entityContext": {"userId": null, "language": null}});
    let body = json!({"entities": [entity, entity], "flagKeys": ["f", "f", "gone"]});
    let answer = flagr.post("/evaluation/batch", body.clone()).await;
    let found = rows(&answer["evaluationResults"]);
    let keys: Vec<_> = found.iter().map(|row| row["flagKey"].as_str().expect("a key")).collect();
    assert_eq!(keys, ["f", "gone", "f", "gone"]);
    let ids: Vec<_> = [0, 2].map(|at| found[at]["evalContext"]["entityID"].as_str().expect("an id")).into();
    assert!(ids.iter().all(|id| id.starts_with("randomly_generated_")), "{ids:?}");
    assert_ne!(ids[0], ids[1]);
    assert!(found[1]["evalContext"].get("entityID").is_none());
    assert_eq!(found[0]["evalContext"]["entityContext"], json!({"userId": null, "language": null}));
    assert!(found[0]["variantKey"].is_string());
    // The made-up id is no attribute: a constraint on userId misses, also a negative one.
    let path = format!("/flags/{flag}/segments/{segment}/constraints");
    flagr.post(&path, json!({"property": "userId", "operator": "NEQ", "value": "\"x\""})).await;
    let answer = flagr.post("/evaluation/batch", body).await;
    assert!(rows(&answer["evaluationResults"])[0].get("variantKey").is_none(), "{answer}");
    let named = flagr.post("/evaluation", json!({"entityID": "ann", "flagKey": "f"})).await;
    assert!(named.get("variantKey").is_none(), "the entity's id is no attribute either: {named}");
}

#[actix_web::test]
async fn a_known_id_wins_over_every_key_and_keys_may_be_numbers() {
    let flagr = Flagr::new().await;
    let (one, ..) = flagr.split("one").await;
    let (two, ..) = flagr.split(&format!("{}", one + 500)).await;
    let found = async |sent: Value| flagr.post("/evaluation", sent).await["flagID"].clone();
    assert_eq!(found(json!({"flagID": one, "flagKey": "nobody"})).await, one);
    assert_eq!(found(json!({"flagID": one, "flagKey": (one + 500).to_string()})).await, one);
    assert_eq!(found(json!({"flagID": 999, "flagKey": "one"})).await, one);
    assert_eq!(found(json!({"flagKey": one.to_string()})).await, one, "a key that is an id");
    assert_eq!(found(json!({"flagID": one + 500})).await, two, "an id that is a key");
}

#[actix_web::test]
async fn a_batch_answers_tags_then_ids_then_keys_for_each_entity() {
    let flagr = Flagr::new().await;
    let (one, ..) = flagr.split("one").await;
    let (two, ..) = flagr.split("two").await;
    for (flag, tag) in [(one, "web"), (two, "web"), (two, "beta")] {
        flagr.post(&format!("/flags/{flag}/tags"), json!({ "value": tag })).await;
    }
    let off = flagr.post("/flags", json!({"key": "off", "description": "d"})).await["id"]
        .as_u64()
        .expect("a number");
    flagr.post(&format!("/flags/{off}/tags"), json!({"value": "web"})).await;
    let ask = async |members: Value| {
        let mut body = json!({"entities": [{"entityID": "a"}, {"entityID": "b", "entityType": "t"}]});
        body.as_object_mut().expect("an object").extend(members.as_object().expect("an object").clone());
        let answer = flagr.post("/evaluation/batch", body).await;
        rows(&answer["evaluationResults"]).to_vec()
    };
    let names = |found: &[Value]| -> Vec<String> {
        found
            .iter()
            .map(|row| {
                format!("{}:{}", row["evalContext"]["entityID"].as_str().unwrap_or("-"), row["flagID"])
            })
            .collect()
    };
    let all =
        ask(json!({"flagTags": ["web"], "flagIDs": [two, one, two], "flagKeys": ["two", "gone", "two"]}))
            .await;
    let of = |entity: &str| {
        vec![
            format!("{entity}:{one}"),
            format!("{entity}:{two}"),
            format!("{entity}:{off}"),
            format!("{entity}:{two}"),
            format!("{entity}:{one}"),
            format!("{entity}:{two}"),
            format!("{entity}:null"),
        ]
    };
    assert_eq!(names(&all), [of("a"), of("b")].concat());
    assert_eq!(all[0]["evalContext"], json!({"entityID": "a", "flagTags": ["web"]}));
    assert_eq!(all[3]["evalContext"], json!({"entityID": "a", "flagID": two}));
    assert_eq!(all[13]["evalContext"], json!({"entityID": "b", "entityType": "t", "flagKey": "gone"}));
    let both = ask(json!({"flagTags": ["web", "beta"], "flagTagsOperator": "ALL"})).await;
    assert_eq!(names(&both), [format!("a:{two}"), format!("b:{two}")]);
    assert_eq!(both[0]["evalContext"]["flagTagsOperator"], "ALL");
    assert_eq!(ask(json!({"flagTags": ["nobody"]})).await, [] as [Value; 0]);
    assert_eq!(ask(json!({})).await, [] as [Value; 0]);
    // A single evaluation does not look at tags.
    let alone = flagr.post("/evaluation", json!({"flagTags": ["web"]})).await;
    assert_eq!(alone["evalDebugLog"]["msg"], "flagID 0 not found or deleted");
    // Evaluating by tag sees every change at once.
    let tags = flagr.get(&format!("/flags/{one}/tags")).await;
    flagr.delete(&format!("/flags/{one}/tags/{}", tags[0]["id"])).await;
    assert_eq!(
        names(&ask(json!({"flagTags": ["web"]})).await),
        [format!("a:{two}"), format!("a:{off}"), format!("b:{two}"), format!("b:{off}")]
    );
}

#[actix_web::test]
async fn numbers_beyond_every_flag_stay_apart_and_are_echoed() {
    let flagr = Flagr::new().await;
    let (first, second) = (5_000_000_000_u64, 6_000_000_000_u64);
    let body = json!({"entities": [{"entityID": "a"}], "flagIDs": [first, second, first]});
    let answer = flagr.post("/evaluation/batch", body).await;
    let found = rows(&answer["evaluationResults"]);
    assert_eq!(found.len(), 2, "{answer}");
    let one = flagr.post("/evaluation", json!({"entityID": "a", "flagID": first})).await;
    for (row, id) in found.iter().chain([&one]).zip([first, second, first]) {
        assert_eq!(row["flagID"], id);
        assert_eq!(row["evalContext"], json!({"entityID": "a", "flagID": id}));
        assert_eq!(row["evalDebugLog"]["msg"], format!("flagID {id} not found or deleted"));
    }
    // What is a number may be a key.
    let flag = flagr.post("/flags", json!({"key": "5000000000", "description": "d"})).await;
    let one = flagr.post("/evaluation", json!({"entityID": "a", "flagID": first})).await;
    assert_eq!(one["flagID"], flag["id"]);
}

#[actix_web::test]
async fn a_query_may_be_8192_bytes_long_and_no_more() {
    let flagr = Flagr::new().await;
    let query = |length: usize| {
        let start = "json=%7B%22entityID%22%3A%22";
        let end = "%22%7D";
        format!("/evaluation?{start}{}{end}", "a".repeat(length - start.len() - end.len()))
    };
    assert_eq!(flagr.ask("GET", &query(8192), Value::Null).await.status, 200);
    let over = flagr.ask("GET", &query(8193), Value::Null).await;
    assert_eq!(over.status, 400, "{}", over.text);
    assert!(over.body["message"].as_str().is_some_and(|text| text.contains("8192")));
}

#[actix_web::test]
async fn the_debug_log_tells_of_every_segment_that_was_visited() {
    let flagr = Flagr::new().await;
    let share = |id: u64| json!({"ID": id, "VariantID": 300, "VariantKey": "a", "Percent": 50});
    let segment = |id: u64, rollout: u64, constraints: Value, shares: Value| json!({"ID": id, "Description": "s", "Rank": id, "RolloutPercent": rollout, "Constraints": constraints, "Distributions": shares});
    let leaf = |id: u64, property: &str| json!([{"ID": id, "Property": property, "Operator": "EQ", "Value": "\"DE\""}]);
    let shares = |from: u64| json!([share(from), {"ID": from + 1, "VariantID": 301, "VariantKey": "b", "Percent": 50}]);
    let variants = json!([{"ID": 300, "Key": "a"}, {"ID": 301, "Key": "b"}]);
    let flag = |id: u64, segments: Value| json!({"ID": id, "Key": format!("f{id}"), "Enabled": true, "Variants": if id == 100 { variants.clone() } else { json!([]) }, "Segments": segments});
    flagr
        .import(json!([
            flag(
                100,
                json!([
                    segment(1, 100, leaf(1, "country"), json!([])),
                    segment(2, 100, leaf(2, "plan"), json!([])),
                    segment(3, 100, json!([]), shares(1)),
                    segment(4, 100, json!([]), json!([]))
                ])
            ),
            flag(101, json!([segment(5, 0, json!([]), json!([]))])),
            flag(102, json!([segment(6, 100, json!([]), json!([]))])),
        ]))
        .expect("an import");
    let log = async |flag: u64, context: Value| {
        let sent =
            json!({"entityID": "entityID1", "entityContext": context, "flagID": flag, "enableDebug": true});
        let answer = flagr.post("/evaluation", sent).await;
        let logs = rows(&answer["evalDebugLog"]["segmentDebugLogs"]).to_vec();
        logs.iter()
            .map(|one| format!("{} {}", one["segmentID"], one["msg"].as_str().expect("text")))
            .collect::<Vec<_>>()
    };
    let told = log(100, json!({"country": "FR"})).await;
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[0].starts_with("1 constraint not match. constraint: "), "{told:?}");
    assert!(told[1].contains("argument not found"), "{told:?}");
    assert_eq!(
        told[2],
        "3 matched all constraints. rollout yes. {BucketNum:221 DistributionArray:{VariantIDs:[300 301] \
         PercentsAccumulated:[500 1000]} VariantID:300 RolloutPercent:100}"
    );
    let told = log(100, json!("no object")).await;
    let start = "1 constraints are present in the segment_id 1, but got invalid entity_context: ";
    assert!(told[0].starts_with(start), "{told:?}");
    assert_eq!(log(101, json!({})).await, ["5 matched all constraints. rollout no. 0% rolloutPercent"]);
    assert_eq!(
        log(102, json!({})).await,
        ["6 matched all constraints. rollout no. there's no distribution set"]
    );
}

#[actix_web::test]
async fn exposures_are_checked_row_by_row() {
    let flagr = Flagr::new().await;
    let (flag, [control, new], _) = flagr.split("f").await;
    let (other, ..) = flagr.split("other").await;
    let ask = async |row: Value| {
        let answer =
            flagr.post("/exposures", json!({"exposures": [{"flagID": flag, "entityID": "e"}, row]})).await;
        assert!(answer["message"].is_string());
        let errors = answer["errors"].as_array().cloned().unwrap_or_default();
        assert!(errors.iter().all(|error| error["index"] == 1), "{answer}");
        (
            answer["loggedCount"].clone(),
            errors.first().map(|error| error["message"].as_str().expect("text").to_owned()),
        )
    };
    for (row, message) in [
        (
            json!({"flagKey": "f", "entityID": "e", "variantKey": "control", "timestamp": "2026-01-02T03:04:05Z"}),
            None,
        ),
        (json!({"flagID": flag, "entityID": "e", "variantID": control, "variantKey": "control"}), None),
        (json!({"entityID": "e"}), Some("flagID or flagKey is required")),
        (json!({"flagID": flag}), Some("entityID is required")),
        (json!({"flagID": 99, "entityID": "e"}), Some("flag not found")),
        (
            json!({"flagID": flag, "flagKey": "other", "entityID": "e"}),
            Some("flagID and flagKey refer to different flags"),
        ),
        (json!({"flagID": flag, "entityID": "e", "variantID": 99}), Some("variantID 99 not found on flag")),
        (
            json!({"flagID": flag, "entityID": "e", "variantKey": "x"}),
            Some("variantKey \"x\" not found on flag"),
        ),
        (
            json!({"flagID": flag, "entityID": "e", "variantID": new, "variantKey": "control"}),
            Some("variantID and variantKey do not match"),
        ),
        (Value::Null, Some("exposure row is null")),
    ] {
        let (logged, told) = ask(row.clone()).await;
        assert_eq!((logged, told.as_deref()), (json!(0), message), "{row}");
    }
    flagr.put(&format!("/flags/{other}"), json!({"dataRecordsEnabled": true})).await;
    let (logged, told) = ask(json!({"flagID": other, "entityID": "e"})).await;
    assert_eq!((logged, told), (json!(1), None));
}

#[actix_web::test]
async fn who_was_shown_a_variant_takes_part_in_the_comparison_and_no_evaluation_is_counted() {
    let flagr = Flagr::new().await;
    flagr.app.set_time("2026-03-01T12:00:00Z");
    let (flag, [control, _], segment) = flagr.split("f").await;
    // A second segment gives the same variants: the context says which of the two it was.
    let second = json!({"description": "second", "rolloutPercent": 100});
    let second = flagr.post(&format!("/flags/{flag}/segments"), second).await["id"].clone();
    let of_first = flagr.get(&format!("/flags/{flag}/segments/{segment}/distributions")).await;
    let strip = |share: &Value| json!({"percent": 50, "variantID": share["variantID"], "variantKey": share["variantKey"]});
    let shares: Vec<_> = rows(&of_first).iter().map(strip).collect();
    flagr
        .put(&format!("/flags/{flag}/segments/{second}/distributions"), json!({"distributions": shares}))
        .await;
    let german = json!({"property": "country", "operator": "EQ", "value": "\"DE\""});
    flagr.post(&format!("/flags/{flag}/segments/{segment}/constraints"), german).await;
    flagr.put(&format!("/flags/{flag}"), json!({"dataRecordsEnabled": true})).await;

    let answer = flagr
        .post("/evaluation", json!({"flagID": flag, "entityID": "ann", "entityContext": {"country": "DE"}}))
        .await;
    let variant = answer["variantKey"].clone();
    let other = if variant == "control" { "new" } else { "control" };
    let shown = json!({"exposures": [
        // What the server answered is not counted once more.
        {"flagID": flag, "entityID": "ann", "entityContext": {"country": "DE"}, "variantKey": variant},
        {"flagID": flag, "entityID": "bo", "variantID": control, "timestamp": "2026-02-28T10:00:00Z"},
        {"flagKey": "f", "entityID": "cy"},
        {"flagKey": "f", "entityID": "dee", "variantKey": other, "timestamp": "2025-01-01T00:00:00Z"},
        {"flagKey": "f", "entityID": "eve", "variantKey": other, "timestamp": "2026-04-01T00:00:00Z"}]});
    let told = flagr.post("/exposures", shown).await;
    assert_eq!(told["loggedCount"], 3, "{told}");
    let errors: Vec<_> = rows(&told["errors"]).iter().map(|error| error["index"].clone()).collect();
    assert_eq!(errors, [3, 4]);

    flagr.app.run_jobs();
    let ask = async |what: &str| {
        let path =
            format!("/api/v1/analytics/{what}&site=shop&env=prod&feature=f&from=2026-02-20&to=2026-03-01");
        flagr.app.viewer().get(&path).await.expect(200).body
    };
    let summary = ask("summary?").await;
    assert_eq!((&summary["evaluations"], &summary["uniqueUsers"]), (&json!(1), &json!(3)), "{summary}");
    let compared = ask("variants?").await;
    let people: u64 =
        rows(&compared["variants"]).iter().map(|row| row["people"].as_u64().expect("people")).sum();
    assert_eq!(people, 2, "{compared}");
    let kept = flagr.app.dump();
    assert_eq!(kept.rows("exposures"), 2);
}

#[actix_web::test]
async fn the_server_adds_the_time_and_listed_headers_where_it_is_told_to() {
    let listed = ["X-Country".to_owned(), "x-geo-*".to_owned()];
    let listed = featured::config::InjectedHeaders::parse(&listed).expect("names");
    let flagr = Flagr::with(|config| config.flagr_injected = Some(listed)).await;
    // A Sunday.
    flagr.app.set_time("2026-03-01T14:30:00Z");
    let (flag, _, segment) = flagr.split("f").await;
    for (property, operator, value) in [
        ("@http_x_country", "EQ", "\"SE\""),
        ("@http_x_geo_city", "EQ", "\"Lund, Malmö\""),
        ("@ts_hour", "EQ", "14"),
        ("@ts_weekday", "EQ", "0"),
        ("@ts_month", "EQ", "3"),
        ("@ts", "EQ", "1772375400"),
    ] {
        let body = json!({"property": property, "operator": operator, "value": value});
        flagr.post(&format!("/flags/{flag}/segments/{segment}/constraints"), body).await;
    }
    let ask = |method: &str, path: &str| {
        let ask = flagr.admin.ask(method, &format!("{}{path}", super::API));
        let ask = ask.header("x-country", "SE").header("x-geo-city", "Lund, Malmö");
        ask.header("x-other", "y").header("x-geo-empty", "")
    };
    let entity =
        json!({"entityID": "ann", "entityContext": {"n": 1.50, "@ts_hour": 3, "@http_x_country": "NO"}});
    let mut one = entity.clone();
    one["flagID"] = json!(flag);
    let answer = ask("POST", "/evaluation").json(&one).send().await.expect(200).body;
    let context = json!({"n": 1.5, "@ts": 1_772_375_400, "@ts_hour": 14, "@ts_weekday": 0, "@ts_month": 3,
        "@http_x_country": "SE", "@http_x_geo_city": "Lund, Malmö"});
    assert_eq!(answer["evalContext"]["entityContext"], context);
    assert!(answer["variantKey"].is_string(), "{answer}");
    let batch = json!({"entities": [entity, {"entityID": "bo"}, {"entityID": "cy", "entityContext": [1]}],
        "flagIDs": [flag]});
    let answer = ask("POST", "/evaluation/batch").json(&batch).send().await.expect(200).body;
    assert!(rows(&answer["evaluationResults"]).iter().all(|row| row["variantKey"].is_string()), "{answer}");
    // A batch by GET has the time alone.
    let query = |path: &str, json: &Value| crate::support::query(path, &[("json", &json.to_string())]);
    let answer = ask("GET", &query("/evaluation/batch", &batch)).send().await.expect(200).body;
    let results = rows(&answer["evaluationResults"]);
    assert_eq!(results[1]["evalContext"]["entityContext"]["@ts_hour"], 14);
    assert_eq!(results[1]["evalContext"]["entityContext"].get("@http_x_country"), None);
    assert!(results.iter().all(|row| row.get("variantKey").is_none()), "{answer}");
    let answer = ask("GET", &query("/evaluation", &one)).send().await.expect(200).body;
    assert!(answer["variantKey"].is_string(), "{answer}");

    for refused in ["Authorization", "co*", "*", "a b", ""] {
        assert!(featured::config::InjectedHeaders::parse(&[refused.to_owned()]).is_err(), "{refused}");
    }
}
