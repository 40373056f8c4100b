//! What management does beyond answering (flagr.md §2, §3).

use std::collections::HashSet;

use serde_json::{Value, json};

use super::Flagr;
use crate::engine::rows;

fn ids(list: &Value) -> Vec<u64> {
    rows(list).iter().map(|one| one["id"].as_u64().expect("a number")).collect()
}

#[actix_web::test]
async fn a_flag_is_made_disabled_and_shown_whole() {
    let flagr = Flagr::new().await;
    flagr.app.set_time("2026-01-02T03:04:05.678Z");
    let made = flagr
        .post("/flags", json!({"description": "New checkout", "key": "checkout-v2", "enabled": true}))
        .await;
    let expected = json!({"id": 1, "key": "checkout-v2", "description": "New checkout", "enabled": false,
        "dataRecordsEnabled": false, "updatedAt": "2026-01-02T03:04:05.678Z", "createdBy": "flagr",
        "updatedBy": "flagr", "segments": [], "variants": [], "tags": []});
    assert_eq!(made, expected);
    let generated = flagr.post("/flags", json!({"description": "d"})).await["key"].clone();
    let key = generated.as_str().expect("a key");
    assert!(key.len() == 17 && key.starts_with('k') && !key.contains(['0', 'l']), "{key}");
    let boolean =
        flagr.post("/flags", json!({"description": "d", "key": "", "template": "simple_boolean_flag"})).await;
    assert_eq!(boolean["enabled"], false);
    assert_eq!(boolean["variants"][0]["key"], "on");
    let segment = &boolean["segments"][0];
    assert_eq!(
        (&segment["description"], &segment["rank"], &segment["rolloutPercent"]),
        (&json!(""), &json!(999), &json!(100))
    );
    assert_eq!(segment["distributions"][0]["percent"], 100);
    assert_eq!(segment["distributions"][0]["variantKey"], "on");
    // A put changes what it names and never the switch.
    let put = json!({"description": "Other", "key": "checkout", "notes": "# hi", "enabled": true});
    let changed = flagr.put("/flags/1", put).await;
    assert_eq!(
        (&changed["key"], &changed["notes"], &changed["enabled"]),
        (&json!("checkout"), &json!("# hi"), &json!(false))
    );
    assert_eq!(flagr.put("/flags/1", json!({})).await["description"], "Other");
    assert_eq!(flagr.put("/flags/1/enabled", json!({"enabled": true})).await["enabled"], true);
    assert_eq!(flagr.get("/flags/1").await["enabled"], true);
}

#[actix_web::test]
async fn lists_are_filtered_and_paged() {
    let flagr = Flagr::new().await;
    for (key, description, tags) in
        [("a", "One", vec!["web"]), ("b", "Two", vec!["web", "x y"]), ("c", "Twofold", vec![])]
    {
        let id = flagr.post("/flags", json!({"key": key, "description": description})).await["id"].clone();
        for tag in tags {
            flagr.post(&format!("/flags/{id}/tags"), json!({ "value": tag })).await;
        }
    }
    flagr.put("/flags/2/enabled", json!({"enabled": true})).await;
    flagr.post("/flags/1/variants", json!({"key": "v"})).await;
    for (query, expected) in [
        ("", vec![1, 2, 3]),
        ("?key=b", vec![2]),
        ("?description=Two", vec![2]),
        ("?description_like=TWO", vec![2, 3]),
        ("?enabled=yes", vec![2]),
        ("?enabled=no", vec![1, 3]),
        ("?tags=web", vec![1, 2]),
        ("?tags=x%20y,web", vec![1, 2]),
        ("?tags=nobody", vec![]),
        ("?limit=1&offset=1", vec![2]),
        ("?limit=0", vec![]),
        ("?key=&tags=", vec![1, 2, 3]),
        ("?enabled=true&tags=web", vec![2]),
        ("?deleted=true", vec![]),
    ] {
        assert_eq!(ids(&flagr.get(&format!("/flags{query}")).await), expected, "{query}");
    }
    let listed = flagr.get("/flags").await;
    assert_eq!((&listed[0]["variants"], listed[1]["tags"].as_array().map(Vec::len)), (&json!([]), Some(2)));
    assert_eq!(flagr.get("/flags?preload=true").await[0]["variants"][0]["key"], "v");
    assert_eq!(flagr.get("/tags").await, json!([{"id": 1, "value": "web"}, {"id": 2, "value": "x y"}]));
    assert_eq!(flagr.get("/tags?value_like=WE").await, json!([{"id": 1, "value": "web"}]));
    // An existing tag is reused, adding it twice is harmless, and unlinking leaves it.
    assert_eq!(flagr.post("/flags/3/tags", json!({"value": "web"})).await["id"], 1);
    assert_eq!(flagr.post("/flags/3/tags", json!({"value": "web"})).await["id"], 1);
    assert_eq!(ids(&flagr.get("/flags/3/tags").await), [1]);
    flagr.delete("/flags/3/tags/1").await;
    flagr.delete("/flags/3/tags/1").await;
    assert_eq!(flagr.get("/flags/3/tags").await, json!([]));
    assert_eq!(rows(&flagr.get("/tags").await).len(), 2);
}

#[actix_web::test]
async fn segments_are_ordered_by_rank_then_number() {
    let flagr = Flagr::new().await;
    let flag = flagr.post("/flags", json!({"description": "d"})).await["id"].clone();
    let path = format!("/flags/{flag}/segments");
    for n in 1..=4 {
        let made = flagr.post(&path, json!({"description": format!("s{n}"), "rolloutPercent": n})).await;
        assert_eq!((&made["id"], &made["rank"]), (&json!(n), &json!(999)));
    }
    let order = async || {
        let list = flagr.get(&path).await;
        rows(&list).iter().map(|one| format!("{}@{}", one["id"], one["rank"])).collect::<Vec<_>>()
    };
    flagr.put(&format!("{path}/reorder"), json!({"segmentIDs": [3, 1]})).await;
    assert_eq!(order().await, ["3@0", "1@1", "2@999", "4@999"]);
    flagr.put(&format!("{path}/reorder"), json!({"segmentIDs": [4]})).await;
    assert_eq!(order().await, ["3@0", "4@0", "1@1", "2@999"]);
    flagr.delete(&format!("{path}/3")).await;
    assert_eq!(flagr.post(&path, json!({"description": "s5", "rolloutPercent": 0})).await["id"], 5);
    assert_eq!(order().await, ["4@0", "1@1", "2@999", "5@999"]);
    let changed =
        flagr.put(&format!("{path}/2"), json!({"description": "second", "rolloutPercent": 7})).await;
    assert_eq!(
        (&changed["description"], &changed["rolloutPercent"], &changed["rank"]),
        (&json!("second"), &json!(7), &json!(999))
    );
}

#[actix_web::test]
async fn variants_take_their_distributions_along() {
    let flagr = Flagr::new().await;
    let (flag, [control, new], segment) = flagr.split("f").await;
    let third = flagr.post(&format!("/flags/{flag}/variants"), json!({"key": "third"})).await;
    assert_eq!(third["attachment"], json!({}));
    let shares = json!({"distributions": [
        {"percent": 0, "variantID": third["id"], "variantKey": "third"},
        {"percent": 40, "variantID": new, "variantKey": "new"},
        {"percent": 60, "variantID": control, "variantKey": "control"}]});
    let path = format!("/flags/{flag}/segments/{segment}/distributions");
    let put = flagr.put(&path, shares).await;
    let shown: Vec<_> =
        rows(&put).iter().map(|one| format!("{}:{}", one["variantID"], one["percent"])).collect();
    assert_eq!(shown, [format!("{control}:60"), format!("{new}:40"), format!("{}:0", third["id"])]);
    // Renamed everywhere; the attachment stays unless one is sent.
    let renamed = flagr.put(&format!("/flags/{flag}/variants/{new}"), json!({"key": "blue"})).await;
    assert_eq!(renamed, json!({"id": new, "key": "blue", "attachment": {"name": "new"}}));
    let emptied =
        flagr.put(&format!("/flags/{flag}/variants/{new}"), json!({"key": "blue", "attachment": {}})).await;
    assert_eq!(emptied["attachment"], json!({}));
    assert_eq!(flagr.get(&path).await[1]["variantKey"], "blue");
    // At 0 percent a variant goes with its distribution.
    flagr.delete(&format!("/flags/{flag}/variants/{}", third["id"])).await;
    let left = flagr.get(&path).await;
    assert_eq!(rows(&left).len(), 2);
    // Replaced distributions get numbers that were never given.
    let before: HashSet<_> = ids(&put).into_iter().collect();
    let again = json!({"distributions": [{"percent": 100, "variantID": new, "variantKey": "blue"}]});
    assert!(ids(&flagr.put(&path, again).await).iter().all(|id| !before.contains(id)));
}

#[actix_web::test]
async fn constraints_keep_their_numbers_and_order() {
    let flagr = Flagr::new().await;
    let (flag, _, segment) = flagr.split("f").await;
    let path = format!("/flags/{flag}/segments/{segment}/constraints");
    for value in ["\"DE\"", " 18 ", "[1, 2]"] {
        let operator = if value.starts_with('[') { "IN" } else { "EQ" };
        let made = flagr.post(&path, json!({"property": "p", "operator": operator, "value": value})).await;
        assert_eq!(made["value"], value);
    }
    let listed = flagr.get(&path).await;
    assert_eq!(ids(&listed), [1, 2, 3]);
    flagr.put(&format!("{path}/2"), json!({"property": "q", "operator": "NEQ", "value": "1"})).await;
    flagr.delete(&format!("{path}/1")).await;
    let made = flagr.post(&path, json!({"property": "r", "operator": "EQ", "value": "1"})).await;
    assert_eq!(made["id"], 4);
    let listed = flagr.get(&path).await;
    assert_eq!(ids(&listed), [2, 3, 4]);
    assert_eq!(listed[0]["property"], "q");
    let whole = flagr.get(&format!("/flags/{flag}")).await;
    assert_eq!(whole["segments"][0]["constraints"], listed);
}

#[actix_web::test]
async fn a_constraint_that_becomes_like_another_keeps_its_number() {
    let flagr = Flagr::new().await;
    let (flag, _, segment) = flagr.split("f").await;
    let path = format!("/flags/{flag}/segments/{segment}/constraints");
    let constraint = |value: &str| json!({"property": "x", "operator": "EQ", "value": value});
    for value in ["\"1\"", "\"2\""] {
        flagr.post(&path, constraint(value)).await;
    }
    assert_eq!(flagr.put(&format!("{path}/1"), constraint("\"2\"")).await["id"], 1);
    assert_eq!(ids(&flagr.get(&path).await), [1, 2]);
    // Changed once more, it is still that one.
    assert_eq!(flagr.put(&format!("{path}/2"), constraint("\"3\"")).await["id"], 2);
    let listed = flagr.get(&path).await;
    assert_eq!((ids(&listed), &listed[0]["value"]), (vec![1, 2], &json!("\"2\"")));
}

#[actix_web::test]
async fn a_deleted_flag_keeps_key_and_number_and_comes_back_whole() {
    let flagr = Flagr::new().await;
    let (flag, ..) = flagr.split("f").await;
    flagr.post(&format!("/flags/{flag}/tags"), json!({"value": "web"})).await;
    let before = flagr.get(&format!("/flags/{flag}")).await;
    let entity = json!({"entityID": "ann", "flagKey": "f"});
    let answer = flagr.post("/evaluation", entity.clone()).await["variantKey"].clone();
    flagr.delete(&format!("/flags/{flag}")).await;
    assert_eq!(
        flagr.post("/evaluation", entity.clone()).await["evalDebugLog"]["msg"],
        "flagID 0 not found or deleted"
    );
    assert_eq!(flagr.get("/flags").await, json!([]));
    let gone = flagr.get("/flags?deleted=true&preload=true").await;
    assert_eq!(
        (&gone[0]["id"], &gone[0]["key"], &gone[0]["variants"]),
        (&json!(flag), &json!("f"), &before["variants"])
    );
    // Nobody else gets its key, natively either.
    let native = json!({"key": "f", "type": "BOOLEAN"});
    let path = format!("{}/features", crate::support::PROD);
    flagr.app.editor().post(&path, native.clone()).await.refused(409, "key_taken");
    let fresh = flagr.post("/flags", json!({"description": "d", "key": "g"})).await["id"].clone();
    assert_ne!(fresh, flag);
    let renaming = flagr.ask("PUT", &format!("/flags/{fresh}"), json!({"key": "f"})).await;
    assert_eq!(renaming.status, 400, "{}", renaming.text);
    let back = flagr.put(&format!("/flags/{flag}/restore"), Value::Null).await;
    for name in ["id", "key", "enabled", "variants", "segments", "tags", "createdBy"] {
        assert_eq!(back[name], before[name], "{name}");
    }
    assert_eq!(flagr.post("/evaluation", entity).await["variantKey"], answer, "nobody moved");
    assert_eq!(flagr.get("/flags?deleted=true").await, json!([]));
    // Its history goes on.
    let snapshots = flagr.get(&format!("/flags/{flag}/snapshots")).await;
    let numbers = ids(&snapshots);
    assert!(numbers.len() >= 9 && numbers.is_sorted_by(|a, b| a > b), "{numbers:?}");
}

#[actix_web::test]
async fn a_copy_has_everything_but_numbers_and_history() {
    let flagr = Flagr::new().await;
    let (flag, ..) = flagr.split("f").await;
    let constraint = json!({"property": "p", "operator": "EQ", "value": "1"});
    let segment = flagr.get(&format!("/flags/{flag}")).await["segments"][0]["id"].clone();
    flagr.post(&format!("/flags/{flag}/segments/{segment}/constraints"), constraint).await;
    flagr.post(&format!("/flags/{flag}/tags"), json!({"value": "web"})).await;
    flagr
        .put(&format!("/flags/{flag}"), json!({"notes": "n", "entityType": "t", "dataRecordsEnabled": true}))
        .await;
    let source = flagr.get(&format!("/flags/{flag}")).await;
    let max = flagr.get("/flags/snapshots/max_id").await["maxID"].as_u64().expect("a number");
    let copy = flagr.post(&format!("/flags/{flag}/duplicate"), Value::Null).await;
    assert_eq!(copy["description"], "f (cloned)");
    for name in ["enabled", "notes", "entityType", "dataRecordsEnabled", "tags"] {
        assert_eq!(copy[name], source[name], "{name}");
    }
    assert_ne!(copy["id"], source["id"]);
    let of = |flag: &Value| {
        let segment = &flag["segments"][0];
        [&flag["variants"], &flag["segments"], &segment["constraints"], &segment["distributions"]].map(ids)
    };
    for (old, new) in of(&source).iter().zip(of(&copy)) {
        assert!(!old.is_empty() && old.len() == new.len() && old.iter().all(|id| !new.contains(id)));
    }
    let keys = |flag: &Value| {
        rows(&flag["segments"][0]["distributions"])
            .iter()
            .map(|one| one["variantKey"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(keys(&copy), keys(&source));
    assert_eq!(flagr.get("/flags/snapshots/max_id").await["maxID"], max + 1, "one snapshot, on the copy");
    let named =
        flagr.post(&format!("/flags/{flag}/duplicate"), json!({"key": "named", "description": "mine"})).await;
    assert_eq!((&named["key"], &named["description"]), (&json!("named"), &json!("mine")));
}

#[actix_web::test]
async fn snapshots_show_the_flag_as_it_was() {
    let flagr = Flagr::new().await;
    assert_eq!(flagr.get("/flags/snapshots/max_id").await, json!({}));
    flagr.app.set_time("2026-01-02T03:04:05.678Z");
    let flag = flagr.post("/flags", json!({"description": "one", "key": "f"})).await["id"].clone();
    flagr.put(&format!("/flags/{flag}"), json!({"description": "two"})).await;
    flagr.post(&format!("/flags/{flag}/variants"), json!({"key": "v"})).await;
    let path = format!("/flags/{flag}/snapshots");
    let all = flagr.get(&path).await;
    assert_eq!(ids(&all), [3, 2, 1]);
    let told: Vec<_> = rows(&all)
        .iter()
        .map(|one| format!("{} {}", one["flag"]["description"], ids(&one["flag"]["variants"]).len()))
        .collect();
    assert_eq!(told, ["\"two\" 1", "\"two\" 0", "\"one\" 0"]);
    assert_eq!(
        (&all[0]["updatedAt"], &all[0]["updatedBy"]),
        (&json!("2026-01-02T03:04:05Z"), &json!("flagr"))
    );
    assert_eq!(ids(&flagr.get(&format!("{path}?sort=ASC&limit=2&offset=1")).await), [2, 3]);
    assert_eq!(flagr.get("/flags/snapshots/max_id").await, json!({"maxID": 3}));
    assert_eq!(flagr.get("/flags/99/snapshots").await, json!([]));
    let evaluated = flagr.post("/evaluation", json!({"flagKey": "f"})).await;
    assert_eq!(evaluated["flagSnapshotID"], 3);
}

#[actix_web::test]
async fn exports_are_filtered_and_in_flagrs_own_names() {
    let flagr = Flagr::new().await;
    let (one, ..) = flagr.split("one").await;
    let (two, ..) = flagr.split("two").await;
    flagr.post(&format!("/flags/{two}/tags"), json!({"value": "web"})).await;
    flagr.post(&format!("/flags/{two}/tags"), json!({"value": "beta"})).await;
    flagr.post(&format!("/flags/{one}/tags"), json!({"value": "web"})).await;
    flagr.put(&format!("/flags/{one}/enabled"), json!({"enabled": false})).await;
    let keys = async |query: &str| {
        let cache = flagr.get(&format!("/export/eval_cache/json{query}")).await;
        rows(&cache["Flags"])
            .iter()
            .map(|flag| flag["Key"].as_str().expect("a key").to_owned())
            .collect::<Vec<_>>()
    };
    for (query, expected) in [
        (String::new(), vec!["one", "two"]),
        (format!("?ids={one}&keys=two&enabled=true"), vec!["one"]),
        ("?keys=two,gone&enabled=false".into(), vec!["two"]),
        ("?enabled=true".into(), vec!["two"]),
        ("?tags=web,beta".into(), vec!["one", "two"]),
        ("?tags=web,beta&tagsOperator=ALL".into(), vec!["two"]),
        ("?enabled=false&tags=web".into(), vec!["one"]),
    ] {
        assert_eq!(keys(&query).await, expected, "{query}");
    }
    let cache = flagr.get("/export/eval_cache/json").await;
    let names = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<HashSet<_>>();
    let set = |text: &str| text.split(' ').map(str::to_owned).collect::<HashSet<_>>();
    let flag = &cache["Flags"][0];
    assert_eq!(
        names(flag),
        set(
            "ID CreatedAt UpdatedAt DeletedAt Key Description CreatedBy UpdatedBy Enabled Segments Variants Tags SnapshotID Notes DataRecordsEnabled EntityType"
        )
    );
    assert_eq!(
        names(&flag["Segments"][0]),
        set("ID FlagID Description Rank RolloutPercent Constraints Distributions")
    );
    assert_eq!(
        names(&flag["Segments"][0]["Distributions"][0]),
        set("ID SegmentID VariantID VariantKey Percent")
    );
    assert_eq!(names(&flag["Variants"][0]), set("ID FlagID Key Attachment"));
    assert_eq!(names(&flag["Tags"][0]), set("ID Value"));
}

#[actix_web::test]
async fn a_change_by_a_token_is_audited_announced_and_versioned() {
    let flagr = Flagr::new().await;
    let (flag, ..) = flagr.split("f").await;
    flagr.delete(&format!("/flags/{flag}")).await;
    let changes = flagr.app.changes();
    let mine: Vec<_> = changes.iter().filter(|change| change.key == "f").collect();
    assert_eq!(mine.len(), 7, "{mine:#?}");
    for change in &mine {
        assert_eq!((change.actor.as_str(), change.address.as_deref()), ("flagr", Some("192.0.2.1")));
        assert!(change.event.is_some() && change.revision.is_some(), "{change:?}");
    }
    let versions: Vec<_> = mine.iter().map(|change| change.version).collect();
    assert_eq!(versions, (1..=7).map(Some).collect::<Vec<_>>());
    assert_eq!(mine[0].what(), "feature created");
    assert_eq!(mine[6].what(), "feature deleted");
}

#[actix_web::test]
async fn a_locked_flag_refuses_and_stays() {
    let flagr = Flagr::new().await;
    let (flag, ..) = flagr.split("f").await;
    let path = format!("{}/features/f", crate::support::PROD);
    flagr.app.editor().patch(&path, json!({"locked": true})).await.expect(200);
    for (method, path, body) in [
        ("PUT", format!("/flags/{flag}/enabled"), json!({"enabled": false})),
        ("PUT", format!("/flags/{flag}"), json!({"notes": "x"})),
        ("DELETE", format!("/flags/{flag}"), Value::Null),
    ] {
        let reply = flagr.ask(method, &path, body).await;
        assert_eq!(reply.status, 400, "{}", reply.text);
        assert!(reply.body["message"].as_str().is_some_and(|text| text.contains("locked")));
    }
    assert_eq!(flagr.get(&format!("/flags/{flag}")).await["enabled"], true);
}
