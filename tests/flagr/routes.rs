//! A table of requests with the status and the text that the specification gives each (flagr.md §1–§4).

use serde_json::{Value, json};

use super::{API, Flagr};

/// Method, path, body (null: none), status, `code` (0: none) and a part of the message.
type Row = (&'static str, String, Value, u16, u64, &'static str);

#[actix_web::test]
async fn every_route_answers_with_its_documented_statuses() {
    let flagr = Flagr::new().await;
    let (flag, [control, new], segment) = flagr.split("checkout").await;
    let constraint = flagr
        .post(
            &format!("/flags/{flag}/segments/{segment}/constraints"),
            json!({"property": "country", "operator": "EQ", "value": "\"DE\""}),
        )
        .await["id"]
        .clone();
    let f = |path: &str| format!("/flags/{flag}{path}");
    let s = |path: &str| format!("/flags/{flag}/segments/{segment}{path}");
    let none = Value::Null;
    let share = |percent: i64, variant: u64, key: &str| json!({"percent": percent, "variantID": variant, "variantKey": key});
    let put = |shares: Value| json!({"distributions": shares});
    let rows: Vec<Row> = vec![
        ("GET", "/health".into(), none.clone(), 200, 0, ""),
        // Flags.
        ("GET", "/flags".into(), none.clone(), 200, 0, ""),
        ("GET", "/flags?limit=x".into(), none.clone(), 422, 601, "limit in query must be of type int64"),
        ("GET", "/flags?enabled=perhaps".into(), none.clone(), 200, 0, ""),
        ("POST", "/flags".into(), none.clone(), 422, 602, "body in body is required"),
        ("POST", "/flags".into(), json!({}), 422, 602, "description in body is required"),
        ("POST", "/flags".into(), json!({"description": null}), 422, 602, "description in body is required"),
        (
            "POST",
            "/flags".into(),
            json!({"description": ""}),
            422,
            604,
            "description in body should be at least 1 chars long",
        ),
        (
            "POST",
            "/flags".into(),
            json!({"description": 1}),
            400,
            400,
            "parsing body body from \"\" failed, because",
        ),
        ("POST", "/flags".into(), json!([]), 400, 400, "parsing body body"),
        (
            "POST",
            "/flags".into(),
            json!({"description": "d", "key": "a b"}),
            400,
            0,
            "cannot create flag. invalid key",
        ),
        (
            "POST",
            "/flags".into(),
            json!({"description": "d", "key": "checkout"}),
            400,
            0,
            "cannot create flag. flag key already exists",
        ),
        (
            "POST",
            "/flags".into(),
            json!({"description": "d", "template": "x"}),
            400,
            0,
            "unknown value for template: x",
        ),
        ("POST", "/flags".into(), json!({"description": "d", "key": "other", "extra": [1]}), 200, 0, ""),
        ("GET", f(""), none.clone(), 200, 0, ""),
        ("GET", "/flags/99".into(), none.clone(), 404, 0, "unable to find flag 99 in the database"),
        ("GET", "/flags/99999999999".into(), none.clone(), 404, 0, "unable to find flag"),
        ("GET", "/flags/abc".into(), none.clone(), 422, 601, "flagID in path must be of type int64: \"abc\""),
        (
            "GET",
            "/flags/0".into(),
            none.clone(),
            422,
            609,
            "flagID in path should be greater than or equal to 1",
        ),
        ("PUT", f(""), json!({"description": ""}), 422, 604, "description in body"),
        ("PUT", f(""), json!({"key": "other"}), 400, 0, "cannot update flag. flag key already exists"),
        ("PUT", f(""), json!({"key": "a b"}), 400, 0, "invalid key"),
        ("PUT", f(""), json!({"key": ""}), 400, 0, "invalid key"),
        ("PUT", f(""), json!({"entityType": "a b"}), 400, 0, "entityType"),
        (
            "PUT",
            f(""),
            json!({"notes": "# n", "entityType": "user", "dataRecordsEnabled": true, "enabled": false}),
            200,
            0,
            "",
        ),
        ("PUT", "/flags/99".into(), json!({"notes": "n"}), 404, 0, "unable to find flag 99"),
        ("PUT", f("/enabled"), json!({}), 422, 602, "enabled in body is required"),
        ("PUT", f("/enabled"), json!({"enabled": "yes"}), 400, 400, "parsing body"),
        ("PUT", "/flags/99/enabled".into(), json!({"enabled": true}), 404, 0, "99"),
        ("PUT", f("/enabled"), json!({"enabled": true}), 200, 0, ""),
        ("PUT", "/flags/99/restore".into(), none.clone(), 404, 0, ""),
        ("PUT", f("/restore"), none.clone(), 200, 0, ""),
        ("POST", f("/duplicate"), none.clone(), 200, 0, ""),
        ("POST", f("/duplicate"), json!({"key": "checkout"}), 400, 0, "flag key already exists"),
        ("POST", f("/duplicate"), json!({"key": "a b"}), 400, 0, "invalid key"),
        ("POST", "/flags/99/duplicate".into(), none.clone(), 404, 0, "unable to find flag 99"),
        ("GET", f("/snapshots"), none.clone(), 200, 0, ""),
        ("GET", f("/snapshots?sort=ASC&limit=1&offset=1"), none.clone(), 200, 0, ""),
        ("GET", f("/snapshots?sort=up"), none.clone(), 422, 606, "sort in query should be one of [ASC DESC]"),
        ("GET", "/flags/99/snapshots".into(), none.clone(), 200, 0, ""),
        ("GET", "/flags/snapshots/max_id".into(), none.clone(), 200, 0, ""),
        ("GET", "/flags/entity_types".into(), none.clone(), 200, 0, ""),
        ("DELETE", "/flags/99".into(), none.clone(), 404, 0, "unable to find flag 99"),
        // Variants.
        ("GET", f("/variants"), none.clone(), 200, 0, ""),
        ("GET", "/flags/99/variants".into(), none.clone(), 200, 0, ""),
        ("POST", f("/variants"), json!({}), 422, 602, "key in body is required"),
        ("POST", f("/variants"), json!({"key": ""}), 422, 604, "key in body"),
        ("POST", f("/variants"), json!({"key": "a b"}), 400, 0, "invalid key"),
        ("POST", f("/variants"), json!({"key": "control"}), 400, 0, "control"),
        ("POST", f("/variants"), json!({"key": "x", "attachment": 5}), 400, 0, "attachment"),
        ("POST", "/flags/99/variants".into(), json!({"key": "x"}), 404, 0, "99"),
        ("POST", f("/variants"), json!({"key": "third", "attachment": null}), 200, 0, ""),
        (
            "PUT",
            f(&format!("/variants/{new}")),
            json!({"attachment": {}}),
            422,
            602,
            "key in body is required",
        ),
        ("PUT", f(&format!("/variants/{new}")), json!({"key": "control"}), 400, 0, "control"),
        ("PUT", f(&format!("/variants/{new}")), json!({"key": "new", "attachment": {"a": 1}}), 200, 0, ""),
        ("PUT", f("/variants/99"), json!({"key": "x"}), 404, 0, "record not found"),
        ("DELETE", f("/variants/99"), none.clone(), 404, 0, "record not found"),
        (
            "DELETE",
            f(&format!("/variants/{new}")),
            none.clone(),
            400,
            0,
            "still has non-zero distribution 50",
        ),
        ("DELETE", "/flags/99/variants/1".into(), none.clone(), 404, 0, "99"),
        // Segments.
        ("GET", f("/segments"), none.clone(), 200, 0, ""),
        ("POST", f("/segments"), json!({"description": "d"}), 422, 602, "rolloutPercent in body is required"),
        ("POST", f("/segments"), json!({"rolloutPercent": 1}), 422, 602, "description in body is required"),
        (
            "POST",
            f("/segments"),
            json!({"description": "d", "rolloutPercent": 101}),
            422,
            608,
            "rolloutPercent in body should be less than or equal to 100",
        ),
        (
            "POST",
            f("/segments"),
            json!({"description": "d", "rolloutPercent": -1}),
            422,
            609,
            "rolloutPercent in body should be greater than or equal to 0",
        ),
        (
            "POST",
            f("/segments"),
            json!({"description": "d", "rolloutPercent": 1.5}),
            400,
            400,
            "parsing body",
        ),
        ("POST", "/flags/99/segments".into(), json!({"description": "d", "rolloutPercent": 1}), 404, 0, "99"),
        ("PUT", s(""), json!({"description": "d"}), 422, 602, "rolloutPercent"),
        (
            "PUT",
            f("/segments/99"),
            json!({"description": "d", "rolloutPercent": 1}),
            404,
            0,
            "segment 99 does not belong to flag",
        ),
        ("PUT", s(""), json!({"description": "all", "rolloutPercent": 100}), 200, 0, ""),
        ("DELETE", f("/segments/99"), none.clone(), 404, 0, "segment 99 does not belong to flag"),
        (
            "PUT",
            f("/segments/reorder"),
            json!({"segmentIDs": []}),
            422,
            612,
            "segmentIDs in body should have at least 1 items",
        ),
        ("PUT", f("/segments/reorder"), json!({}), 422, 602, "segmentIDs in body is required"),
        ("PUT", f("/segments/reorder"), json!({"segmentIDs": [99]}), 404, 0, "99"),
        ("PUT", f("/segments/reorder"), json!({"segmentIDs": [segment]}), 200, 0, ""),
        // Constraints.
        ("GET", s("/constraints"), none.clone(), 200, 0, ""),
        ("GET", f("/segments/99/constraints"), none.clone(), 200, 0, ""),
        (
            "POST",
            s("/constraints"),
            json!({"property": "p", "value": "1"}),
            422,
            602,
            "operator in body is required",
        ),
        (
            "POST",
            s("/constraints"),
            json!({"property": "", "operator": "EQ", "value": "1"}),
            422,
            604,
            "property in body",
        ),
        (
            "POST",
            s("/constraints"),
            json!({"property": "p", "operator": "IS", "value": "1"}),
            400,
            0,
            "not supported operator",
        ),
        (
            "POST",
            s("/constraints"),
            json!({"property": "p q", "operator": "EQ", "value": "1"}),
            400,
            0,
            "p q",
        ),
        (
            "POST",
            s("/constraints"),
            json!({"property": "p", "operator": "EQ", "value": "DE"}),
            400,
            0,
            "quotes",
        ),
        (
            "PUT",
            s(&format!("/constraints/{constraint}")),
            json!({"property": "p", "operator": "EQ", "value": "DE"}),
            400,
            0,
            "quotes",
        ),
        (
            "PUT",
            s("/constraints/99"),
            json!({"property": "p", "operator": "EQ", "value": "1"}),
            404,
            0,
            "record not found",
        ),
        (
            "PUT",
            s(&format!("/constraints/{constraint}")),
            json!({"property": "country", "operator": "NEQ", "value": "\"XX\""}),
            200,
            0,
            "",
        ),
        ("DELETE", s("/constraints/99"), none.clone(), 404, 0, "record not found"),
        ("DELETE", s(&format!("/constraints/{constraint}")), none.clone(), 200, 0, ""),
        // Distributions.
        ("GET", s("/distributions"), none.clone(), 200, 0, ""),
        ("PUT", s("/distributions"), json!({}), 422, 602, "distributions in body is required"),
        (
            "PUT",
            s("/distributions"),
            put(json!([{"variantID": new, "variantKey": "new"}])),
            422,
            602,
            "distributions.0.percent in body is required",
        ),
        (
            "PUT",
            s("/distributions"),
            put(json!([share(101, new, "new")])),
            422,
            608,
            "distributions.0.percent",
        ),
        (
            "PUT",
            s("/distributions"),
            put(json!([])),
            400,
            0,
            "the sum of distributions' percent 0 is not 100",
        ),
        (
            "PUT",
            s("/distributions"),
            put(json!([share(90, new, "new")])),
            400,
            0,
            "the sum of distributions' percent 90 is not 100",
        ),
        (
            "PUT",
            s("/distributions"),
            put(json!([share(100, 99, "new")])),
            400,
            0,
            "error finding variantID 99 under this flag. expecting [",
        ),
        (
            "PUT",
            s("/distributions"),
            put(json!([share(100, new, "x")])),
            400,
            0,
            "with variantKey x. expecting new",
        ),
        (
            "PUT",
            s("/distributions"),
            put(json!([share(100, control, "control"), share(0, new, "new")])),
            200,
            0,
            "",
        ),
        ("DELETE", f(&format!("/variants/{new}")), none.clone(), 200, 0, ""),
        // Tags.
        ("GET", f("/tags"), none.clone(), 200, 0, ""),
        ("POST", f("/tags"), json!({}), 422, 602, "value in body is required"),
        ("POST", f("/tags"), json!({"value": "a@"}), 400, 0, "invalid value"),
        ("POST", f("/tags"), json!({"value": "web"}), 200, 0, ""),
        ("POST", f("/tags"), json!({"value": "web"}), 200, 0, ""),
        ("DELETE", f("/tags/99"), none.clone(), 200, 0, ""),
        ("GET", "/tags?value_like=WE&limit=5&offset=0".into(), none.clone(), 200, 0, ""),
        ("GET", "/tags?limit=x".into(), none.clone(), 422, 601, "limit in query must be of type int64"),
        ("POST", "/flags/99/tags".into(), json!({"value": "web"}), 404, 0, "unable to find flag 99"),
        ("DELETE", "/flags/99/tags/1".into(), none.clone(), 404, 0, "unable to find flag 99"),
        // Numbers in paths, bodies that are not there, and what belongs to something that is not.
        (
            "GET",
            f("/segments/x/constraints"),
            none.clone(),
            422,
            601,
            "segmentID in path must be of type int64",
        ),
        (
            "PUT",
            f("/variants/0"),
            json!({"key": "x"}),
            422,
            609,
            "variantID in path should be greater than or equal",
        ),
        (
            "DELETE",
            f("/segments/x"),
            none.clone(),
            422,
            601,
            "segmentID in path must be of type int64: \"x\"",
        ),
        ("DELETE", s("/constraints/-1"), none.clone(), 422, 609, "constraintID in path should be greater"),
        ("DELETE", f("/tags/x"), none.clone(), 422, 601, "tagID in path must be of type int64: \"x\""),
        ("PUT", s("/distributions"), none.clone(), 422, 602, "body in body is required"),
        ("PUT", f("/segments/reorder"), json!({"segmentIDs": ["a"]}), 400, 400, "parsing body"),
        (
            "POST",
            f("/segments/99/constraints"),
            json!({"property": "p", "operator": "EQ", "value": "1"}),
            404,
            0,
            "segment 99 does not belong to flag",
        ),
        (
            "PUT",
            f("/segments/99/distributions"),
            put(json!([share(100, control, "control")])),
            404,
            0,
            "segment 99 does not belong to flag",
        ),
        // Evaluation.
        ("POST", "/evaluation".into(), none.clone(), 422, 602, "body in body is required"),
        ("POST", "/evaluation".into(), json!({"flagID": "one"}), 400, 400, "parsing body body"),
        (
            "POST",
            "/evaluation".into(),
            json!({"flagID": -1}),
            422,
            609,
            "flagID in body should be greater than or equal to 1",
        ),
        (
            "POST",
            "/evaluation".into(),
            json!({"flagTagsOperator": "any"}),
            422,
            606,
            "flagTagsOperator in body should be one of [ANY ALL]",
        ),
        ("POST", "/evaluation".into(), json!([]), 400, 400, "parsing body"),
        ("POST", "/evaluation".into(), json!({}), 200, 0, ""),
        ("POST", "/evaluation".into(), json!({"flagID": 0, "flagKey": "nobody"}), 200, 0, ""),
        ("GET", "/evaluation".into(), none.clone(), 422, 602, "json in query is required"),
        ("GET", "/evaluation?json=".into(), none.clone(), 422, 602, "json in query is required"),
        ("GET", "/evaluation?json=%7B".into(), none.clone(), 400, 0, "json is not valid evalContext"),
        ("GET", "/evaluation?json=%5B%5D".into(), none.clone(), 400, 0, "json is not valid evalContext"),
        (
            "GET",
            "/evaluation?json=%7B%22flagID%22%3A-1%7D".into(),
            none.clone(),
            400,
            0,
            "json is not valid evalContext",
        ),
        ("GET", "/evaluation?json=%7B%22flagID%22%3A1%7D".into(), none.clone(), 200, 0, ""),
        ("POST", "/evaluation/batch".into(), json!({}), 422, 602, "entities in body is required"),
        (
            "POST",
            "/evaluation/batch".into(),
            json!({"entities": []}),
            422,
            612,
            "entities in body should have at least 1 items",
        ),
        (
            "POST",
            "/evaluation/batch".into(),
            json!({"entities": [{}], "flagIDs": []}),
            422,
            612,
            "flagIDs in body",
        ),
        (
            "POST",
            "/evaluation/batch".into(),
            json!({"entities": [{}], "flagKeys": []}),
            422,
            612,
            "flagKeys in body",
        ),
        (
            "POST",
            "/evaluation/batch".into(),
            json!({"entities": [{}], "flagTags": []}),
            422,
            612,
            "flagTags in body",
        ),
        (
            "POST",
            "/evaluation/batch".into(),
            json!({"entities": [{}], "flagIDs": [1, 0]}),
            422,
            609,
            "flagIDs.1 in body",
        ),
        (
            "POST",
            "/evaluation/batch".into(),
            json!({"entities": [{}], "flagKeys": [""]}),
            422,
            604,
            "flagKeys.0 in body",
        ),
        (
            "POST",
            "/evaluation/batch".into(),
            json!({"entities": [{}], "flagTagsOperator": "NONE"}),
            422,
            606,
            "one of [ANY ALL]",
        ),
        ("POST", "/evaluation/batch".into(), json!({"entities": [{}]}), 200, 0, ""),
        ("POST", "/evaluation/batch".into(), none.clone(), 422, 602, "body in body is required"),
        (
            "GET",
            "/evaluation/batch?json=%7B".into(),
            none.clone(),
            400,
            0,
            "json is not valid evaluationBatchRequest",
        ),
        ("GET", "/evaluation/batch".into(), none.clone(), 422, 602, "json in query is required"),
        (
            "GET",
            "/evaluation/batch?json=%7B%22entities%22%3A%5B%5D%7D".into(),
            none.clone(),
            400,
            0,
            "json is not valid evaluationBatchRequest",
        ),
        // Exposures.
        ("POST", "/exposures".into(), json!({"exposures": []}), 400, 0, "exposures array is required"),
        (
            "POST",
            "/exposures".into(),
            json!({"exposures": vec![json!({}); 101]}),
            400,
            0,
            "exposure batch size 101 exceeds",
        ),
        ("POST", "/exposures".into(), json!({"exposures": [{}]}), 200, 0, ""),
        ("POST", "/exposures".into(), none.clone(), 422, 602, "body in body is required"),
        ("POST", "/exposures".into(), json!({"exposures": {}}), 400, 400, "parsing body"),
        // Export.
        ("GET", "/export/eval_cache/json".into(), none.clone(), 200, 0, ""),
        (
            "GET",
            "/export/eval_cache/json?tagsOperator=SOME".into(),
            none.clone(),
            422,
            606,
            "tagsOperator in query",
        ),
        ("GET", "/export/sqlite?exclude_snapshots=true".into(), none.clone(), 200, 0, ""),
        // What is not there.
        ("GET", "/x".into(), none.clone(), 404, 404, "path /api/v1/x was not found"),
        ("GET", "/datar/summary".into(), none.clone(), 404, 404, "path /api/v1/datar/summary was not found"),
        ("PATCH", "/flags".into(), none.clone(), 405, 405, "method PATCH is not allowed, but [GET,POST] are"),
        ("POST", f("/restore"), none.clone(), 405, 405, "method POST is not allowed, but [PUT] are"),
        ("GET", f("/enabled"), none.clone(), 405, 405, "but [PUT] are"),
        // At the end: the flag goes.
        ("DELETE", s(""), none.clone(), 200, 0, ""),
        ("DELETE", f(""), none.clone(), 200, 0, ""),
        ("GET", f(""), none.clone(), 404, 0, "unable to find flag"),
        (
            "POST",
            "/flags".into(),
            json!({"description": "d", "key": "checkout"}),
            400,
            0,
            "cannot create flag. flag key already exists",
        ),
        ("POST", f("/duplicate"), none.clone(), 404, 0, "unable to find flag"),
    ];
    for (method, path, body, status, code, message) in rows {
        let reply = flagr.ask(method, &path, body.clone()).await;
        let what = format!("{method} {path} {body}: {} {}", reply.status, reply.text);
        assert_eq!(reply.status, status, "{what}");
        if status == 200 {
            let kind = reply.header("content-type");
            assert_eq!(kind.is_none(), reply.bytes.is_empty(), "{what}");
            continue;
        }
        assert_eq!(reply.header("content-type"), Some("application/json"), "{what}");
        assert_eq!(reply.body["code"].as_u64().unwrap_or(0), code, "{what}");
        let text = reply.body["message"].as_str().unwrap_or_default();
        assert!(!text.is_empty() && text.contains(message), "{what}");
        if status == 405 {
            let allow = reply.header("allow").expect("Allow");
            assert!(text.contains(allow), "{what}");
        }
    }
}

#[actix_web::test]
async fn bodies_need_their_type_and_who_asks_a_token() {
    let flagr = Flagr::new().await;
    let path = format!("{API}/flags");
    for kind in ["text/plain", ""] {
        let ask = flagr.admin.ask("POST", &path);
        let reply = if kind.is_empty() {
            // The helper always names a type; an unknown one stands for none.
            ask.body("application/x-none", "{}").send().await
        } else {
            ask.body(kind, "{}").send().await
        };
        assert_eq!((reply.status, reply.body["code"].as_u64()), (415, Some(415)), "{}", reply.text);
        let text = reply.body["message"].as_str().expect("text");
        assert!(text.starts_with("unsupported media type \""), "{text}");
        assert!(text.ends_with("only [application/json] are allowed"), "{text}");
    }
    let reply = flagr
        .admin
        .ask("POST", &path)
        .body("application/json; charset=utf-8", r#"{"description":"d"}"#)
        .send()
        .await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let evaluation = format!("{API}/evaluation");
    let anonymous = flagr.app.anonymous();
    for (who, path, status) in [
        (&anonymous, format!("{API}/health"), 200),
        (&anonymous, path.clone(), 401),
        (&anonymous, format!("/flagr/{}/api/v1/flags", flagr.token), 200),
        (&anonymous, "/flagr/alm_env_shop_prod_wrong/api/v1/flags".into(), 401),
        (&flagr.app.sdk(), path.clone(), 403),
        (&flagr.app.sdk(), format!("{API}/export/sqlite"), 403),
        (&flagr.app.admin(), path.clone(), 401),
    ] {
        let reply = who.get(&path).await;
        assert_eq!(reply.status, status, "{path} {}", reply.text);
        if status != 200 {
            assert_eq!(reply.header("content-type"), Some("application/json"));
            assert!(reply.body["message"].is_string(), "{}", reply.text);
        }
    }
    assert_eq!(flagr.app.sdk().post(&evaluation, json!({})).await.status, 200);
    let own = format!("/flagr/{}/api/v1/evaluation", flagr.app.sdk_secret());
    assert_eq!(anonymous.post(&own, json!({})).await.status, 200);
    // A token in a path is told to nobody.
    let reply = anonymous.get(&format!("/flagr/{}/api/v1/gone", flagr.token)).await;
    assert_eq!(reply.body["message"], "path /api/v1/gone was not found");
}

#[actix_web::test]
async fn environments_that_do_not_serve_say_so_in_this_doors_words() {
    let flagr = Flagr::new().await;
    let path = "/api/v1/sites/shop/environments/prod";
    for (status, expected) in [("maintenance", 503), ("archived", 410)] {
        flagr.app.admin().patch(path, json!({ "status": status })).await.expect(200);
        let reply = flagr.ask("POST", "/evaluation", json!({})).await;
        assert_eq!(reply.status, expected, "{}", reply.text);
        assert_eq!(reply.body["code"], expected);
        assert!(reply.body["message"].is_string());
    }
    assert_eq!(flagr.ask("GET", "/flags", Value::Null).await.status, 410);
}

#[actix_web::test]
async fn a_token_over_its_limit_is_429_with_an_object() {
    let flagr = Flagr::new().await;
    let token = flagr.app.token(json!({"description": "slow", "kind": "server", "rateLimit": 1}));
    let slow = flagr.app.bearer(&token);
    assert_eq!(slow.post(&format!("{API}/evaluation"), json!({})).await.status, 200);
    let reply = slow.post(&format!("{API}/evaluation"), json!({})).await;
    assert_eq!((reply.status, reply.body["code"].as_u64()), (429, Some(429)), "{}", reply.text);
    assert!(reply.header("retry-after").is_some());
}

#[actix_web::test]
async fn pages_of_other_origins_may_evaluate_and_not_manage() {
    let flagr = Flagr::new().await;
    let preflight = async |path: &str, headers: &str| {
        flagr
            .app
            .anonymous()
            .ask("OPTIONS", &format!("{API}{path}"))
            .header("origin", "https://web.example")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", headers)
            .send()
            .await
    };
    let open = preflight("/evaluation/batch", "content-type,authorization").await;
    assert_eq!(open.status, 204);
    for (name, value) in [
        ("access-control-allow-origin", Some("*")),
        ("access-control-allow-methods", Some("POST")),
        ("access-control-allow-headers", Some("content-type,authorization")),
        ("access-control-max-age", Some("600")),
        ("access-control-allow-credentials", None),
    ] {
        assert_eq!(open.header(name), value, "{name}");
    }
    assert_eq!(preflight("/evaluation/batch", "x-secret").await.header("access-control-allow-origin"), None);
    assert_eq!(preflight("/flags", "content-type").await.header("access-control-allow-origin"), None);
    for (path, body, allowed) in [
        ("/evaluation", json!({}), Some("*")),
        ("/evaluation", json!({"flagID": -1}), Some("*")),
        ("/flags", json!({"description": "d"}), None),
    ] {
        let ask = flagr.admin.ask("POST", &format!("{API}{path}")).header("origin", "https://web.example");
        let reply = ask.json(&body).send().await;
        assert_eq!(reply.header("access-control-allow-origin"), allowed, "{path} {}", reply.text);
    }
}
