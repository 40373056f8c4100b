//! Stored Contexts: the worked examples of featuresd.md §3.9, the limits of §3.7, and the order of §3 against
//! a resolver of a few lines.

use std::collections::BTreeMap;

use featured::engine::context::{Context, Members};
use featured::engine::evaluate::Evaluator;
use featured::engine::lookup::{Lookup, Source, Subject};
use featured::engine::snapshot::{ChainTooLarge, Snapshot};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{NOW, document, snapshot};

/// An environment of these Contexts, with the features of featuresd.md §3.9.
fn environment(contexts: &Value) -> Snapshot {
    let document = document(
        &json!({"version": 1, "site": {"slug": "s"}, "environments": [{"name": "prod", "contexts": contexts,
            "features": [
                {"key": "banner", "type": "STRING", "defaultValue": "Welcome"},
                {"key": "beta_ui", "type": "BOOLEAN", "defaultValue": false},
                {"key": "seats", "type": "NUMBER", "defaultValue": 3},
                {"key": "ratio", "type": "NUMBER"}]}]})
        .to_string(),
    );
    snapshot(&document, "prod")
}

/// The Contexts of featuresd.md §3.9, with `mia`'s prototypes and what `override` holds.
fn worked_example(mia: &[&str], overrides: &Value) -> Snapshot {
    environment(&json!([
        {"key": "override", "features": overrides},
        {"key": "org-nordic", "features": {"seats": "50", "banner": "Hej"}},
        {"key": "pilots", "features": {"beta_ui": "yes", "banner": "Pilot"}},
        {"key": "team-blue", "prototypes": ["org-nordic"], "features": {"ratio": "0.25"}},
        {"key": "mia", "prototypes": mia},
        {"key": "mia-phone", "prototypes": ["mia"], "features": {"banner": ""}},
    ]))
}

/// By feature key: the value, the reason, and the Context that gave it.
type Found = BTreeMap<String, (String, &'static str, String)>;

/// The keys visited, and for each feature its value, reason and the Context that gave it.
fn look_up(snapshot: &Snapshot, context: &Value) -> (Vec<String>, Found) {
    let sent = context.to_string();
    let context = Context::from_json(&sent).expect("a context");
    let chain = snapshot.chain(&context).expect("a chain");
    let evaluator = Evaluator::new(snapshot, &context, NOW).expect("a chain");
    let found = snapshot.features().map(|feature| {
        let evaluation = evaluator.evaluate(feature);
        let source = evaluation.context.unwrap_or_default().to_owned();
        (feature.key.to_string(), (evaluation.value.to_owned(), evaluation.reason.as_str(), source))
    });
    (chain.iter().map(|context| context.key.to_string()).collect(), found.collect())
}

#[test]
fn the_worked_examples_come_out_as_written() {
    let plain = worked_example(&["team-blue", "pilots"], &json!({}));
    let overridden = worked_example(&["team-blue", "pilots"], &json!({"beta_ui": "no"}));
    let turned = worked_example(&["pilots", "team-blue"], &json!({}));
    let mia: &[&str] = &["mia", "team-blue", "org-nordic", "pilots"];
    let phone: &[&str] = &["mia-phone", "mia", "team-blue", "org-nordic", "pilots"];
    // The visiting order leaves `override` and `default` out: they frame every look-up (rows 8 and 9).
    let by_default = |value: &str| format!("{value} STATIC ");
    let (welcome, no, three, none) =
        (by_default("\"Welcome\""), by_default("false"), by_default("3"), by_default("null"));
    let hej = "\"Hej\" CONTEXT org-nordic".to_owned();
    let fifty = "50 CONTEXT org-nordic".to_owned();
    let yes = "true CONTEXT pilots".to_owned();
    let quarter = "0.25 CONTEXT team-blue".to_owned();
    let pilot = "\"Pilot\" CONTEXT pilots".to_owned();
    let empty = "\"\" CONTEXT mia-phone".to_owned();
    let off = "false OVERRIDE override".to_owned();
    let nobody = json!({"userId": "nobody"});
    let virtual_pilot = json!({"userId": "nobody", "contextPrototypes": ["pilots"]});
    // Row; snapshot; who; order; banner, beta_ui, ratio, seats.
    type Row<'r> = (u8, &'r Snapshot, Value, &'r [&'r str], [&'r String; 4]);
    let rows: [Row<'_>; 8] = [
        (1, &plain, json!({"userId": "mia"}), mia, [&hej, &yes, &quarter, &fifty]),
        (2, &plain, json!({"userId": "mia-phone"}), phone, [&empty, &yes, &quarter, &fifty]),
        (3, &overridden, json!({"userId": "mia"}), mia, [&hej, &off, &quarter, &fifty]),
        (
            4,
            &turned,
            json!({"userId": "mia"}),
            &["mia", "pilots", "team-blue", "org-nordic"],
            [&pilot, &yes, &quarter, &fifty],
        ),
        (5, &plain, nobody, &[], [&welcome, &no, &none, &three]),
        (6, &plain, virtual_pilot, &["pilots"], [&pilot, &yes, &none, &three]),
        (8, &plain, json!({"userId": "default"}), &[], [&welcome, &no, &none, &three]),
        (9, &plain, json!({"userId": "override"}), &[], [&welcome, &no, &none, &three]),
    ];
    for (row, snapshot, who, order, values) in rows {
        let (visited, found) = look_up(snapshot, &who);
        assert_eq!(visited, order, "row {row}");
        let found: Vec<_> =
            found.values().map(|(value, reason, source)| format!("{value} {reason} {source}")).collect();
        assert_eq!(found.iter().collect::<Vec<_>>(), values, "row {row}");
    }
}

#[test]
fn a_cycle_ends_the_walk_where_it_closes() {
    // Row 7 refuses to write one; found anyway, it must terminate in the order of §3.2 (§3.4).
    let snapshot = environment(&json!([
        {"key": "org-nordic", "prototypes": ["mia"], "features": {"seats": 50}},
        {"key": "team-blue", "prototypes": ["org-nordic"]},
        {"key": "mia", "prototypes": ["team-blue", "gone"]},
    ]));
    let (visited, found) = look_up(&snapshot, &json!({"userId": "mia"}));
    assert_eq!(visited, ["mia", "team-blue", "org-nordic"]);
    assert_eq!(found["seats"].0, "50");
    assert_eq!(look_up(&snapshot, &json!({"userId": "org-nordic"})).0, ["org-nordic", "mia", "team-blue"]);
}

#[test]
fn a_diamond_is_visited_once_at_its_first_position() {
    let snapshot = environment(&json!([
        {"key": "A", "prototypes": ["B", "C"]},
        {"key": "B", "prototypes": ["D"]},
        {"key": "C", "prototypes": ["D"], "features": {"banner": "from C"}},
        {"key": "D", "features": {"banner": "from D"}},
    ]));
    let (visited, found) = look_up(&snapshot, &json!({"userId": "A"}));
    assert_eq!(visited, ["A", "B", "D", "C"]);
    assert_eq!(found["banner"].2, "D");
}

#[test]
fn who_is_asked_for_is_the_context_key_else_the_targeting_key() {
    let contexts = json!([
        {"key": "mia", "features": {"banner": "mia"}},
        {"key": "17", "features": {"banner": "17"}},
        {"key": "true", "features": {"banner": "true"}},
        {"key": "team", "features": {"banner": "team"}},
    ]);
    let snapshot = environment(&contexts);
    for (who, visited) in [
        (json!({"userId": "mia"}), vec!["mia"]),
        (json!({"userId": "MIA"}), vec![]),
        (json!({"userId": 17.0}), vec!["17"]),
        (json!({"userId": true}), vec!["true"]),
        (json!({"userId": ["mia"]}), vec![]),
        (json!({"userId": "mia", "contextKey": "team"}), vec!["team"]),
        (json!({"userId": "mia", "contextKey": "nobody"}), vec![]),
        (json!({"userId": "mia", "contextKey": null}), vec!["mia"]),
        (json!({"userId": "mia", "contextKey": ""}), vec!["mia"]),
        (json!({"userId": "mia", "contextKey": {}}), vec!["mia"]),
        (json!({"contextKey": 17}), vec!["17"]),
        (
            json!({"userId": "mia", "contextPrototypes": ["team", "mia", "nobody", 17]}),
            vec!["mia", "team", "17"],
        ),
        (json!({"contextPrototypes": [null, {}, "override", "default", "team", "team"]}), vec!["team"]),
        (json!({"contextPrototypes": "team"}), vec![]),
        (json!({}), vec![]),
    ] {
        assert_eq!(look_up(&snapshot, &who).0, visited, "{who}");
    }
    // A door may carry the targeting key apart from the attributes.
    let members: Members<'_> = serde_json::from_str(r#"{"userId": "team"}"#).expect("an object");
    let context = Context::with_targeting_key(members, Some("mia".into()));
    let chain = snapshot.chain(&context).expect("a chain");
    assert_eq!(&*chain[0].key, "mia");
}

#[test]
fn an_environment_may_have_only_context_keys_name_contexts() {
    let document = document(
        r#"{"version": 1, "site": {"slug": "s"}, "environments": [{"name": "prod", "userIdIsContextKey": false,
            "contexts": [{"key": "mia"}, {"key": "team"}]}]}"#,
    );
    let snapshot = snapshot(&document, "prod");
    assert_eq!(look_up(&snapshot, &json!({"userId": "mia"})).0, Vec::<String>::new());
    assert_eq!(look_up(&snapshot, &json!({"userId": "mia", "contextKey": "team"})).0, ["team"]);
    assert_eq!(look_up(&snapshot, &json!({"userId": "mia", "contextPrototypes": ["team"]})).0, ["team"]);
}

#[test]
fn a_context_comes_after_override_and_disabling_and_before_the_rules() {
    let of = |enabled: bool, contexts: Value| {
        let document = document(
            &json!({"version": 1, "site": {"slug": "s"}, "environments": [{"name": "prod", "contexts": contexts,
                "features": [{"key": "banner", "type": "STRING", "enabled": enabled, "defaultValue": "default",
                    "rules": [{"name": "all", "outcome": {"value": "rule"}}]}]}]})
            .to_string(),
        );
        snapshot(&document, "prod")
    };
    let mia = json!({"key": "mia", "features": {"banner": "context"}});
    let overrides = json!({"key": "override", "features": {"banner": "override"}});
    for (enabled, contexts, value, reason) in [
        (true, json!([overrides, mia]), "\"override\"", "OVERRIDE"),
        (false, json!([overrides, mia]), "\"override\"", "OVERRIDE"),
        (false, json!([mia]), "null", "DISABLED"),
        (true, json!([mia]), "\"context\"", "CONTEXT"),
        (true, json!([]), "\"rule\"", "TARGETING_MATCH"),
    ] {
        let found = look_up(&of(enabled, contexts.clone()), &json!({"userId": "mia"})).1;
        assert_eq!((found["banner"].0.as_str(), found["banner"].1), (value, reason), "{enabled} {contexts}");
    }
}

/// Contexts `c0` … each with the one after it as prototype, and the last with `more` besides.
fn chain_of(length: usize, more: &[String]) -> Vec<Value> {
    (0..length)
        .map(|n| {
            let next = if n + 1 < length { vec![format!("c{}", n + 1)] } else { more.to_vec() };
            json!({"key": format!("c{n}"), "prototypes": next})
        })
        .collect()
}

#[test]
fn a_look_up_descends_32_levels_and_no_more() {
    let at = |length: usize| {
        let snapshot = environment(&json!(chain_of(length, &[])));
        let sent = r#"{"userId": "c0"}"#;
        let context = Context::from_json(sent).expect("a context");
        snapshot.chain(&context).map(|chain| chain.len())
    };
    assert_eq!(at(33), Ok(33));
    assert_eq!(at(34), Err(ChainTooLarge));
}

#[test]
fn a_look_up_visits_1000_contexts_and_no_more() {
    // A tree: one root, 32 below it, 32 below each of those, cut off at the total.
    let at = |total: usize| {
        let below = |n: usize| (32 * n + 1..=32 * n + 32).filter(|m| *m < total).map(|m| format!("c{m}"));
        let contexts: Vec<_> = (0..total)
            .map(|n| json!({"key": format!("c{n}"), "prototypes": below(n).collect::<Vec<_>>()}))
            .collect();
        let snapshot = environment(&json!(contexts));
        let context = Context::from_json(r#"{"userId": "c0"}"#).expect("a context");
        let chain = snapshot.chain(&context).map(|chain| chain.len());
        let evaluated = Evaluator::new(&snapshot, &context, NOW).map(|_| ()).err();
        (chain, evaluated)
    };
    assert_eq!(at(1000), (Ok(1000), None));
    assert_eq!(at(1001), (Err(ChainTooLarge), Some(ChainTooLarge)));
}

/// Who is asked, by whom, and with which values: edges and entries by index.
#[derive(Debug, Clone)]
struct Graph {
    /// Prototypes of each Context; they may form cycles and name Contexts that do not exist.
    edges: Vec<Vec<usize>>,
    /// Which of the four features each Context has a value for.
    entries: Vec<[bool; 4]>,
    overrides: [bool; 4],
    subject: usize,
    virtuals: Vec<usize>,
}

const FEATURES: [&str; 4] = ["banner", "beta_ui", "ratio", "seats"];

impl Graph {
    fn contexts(&self) -> Vec<Value> {
        let values = |entries: &[bool; 4], seed: usize| {
            let written = [json!(format!("b{seed}")), json!("yes"), json!(seed), json!(format!("{seed}"))];
            let there = FEATURES.iter().zip(written).zip(entries).filter(|(_, there)| **there);
            there.map(|((key, value), _)| (key.to_string(), value)).collect::<serde_json::Map<_, _>>()
        };
        let keys = |list: &[usize]| list.iter().map(|n| format!("k{n}")).collect::<Vec<_>>();
        let mut contexts: Vec<_> = (self.edges.iter().zip(&self.entries).enumerate())
            .map(|(n, (edges, entries))| {
                json!({"key": format!("k{n}"), "prototypes": keys(edges), "features": values(entries, n)})
            })
            .collect();
        contexts.push(json!({"key": "override", "features": values(&self.overrides, 999)}));
        contexts
    }

    fn who(&self) -> Value {
        let virtuals: Vec<_> = self.virtuals.iter().map(|n| format!("k{n}")).collect();
        json!({"userId": format!("k{}", self.subject), "contextPrototypes": virtuals})
    }
}

fn graph() -> impl Strategy<Value = Graph> {
    (1_usize..=60).prop_flat_map(|size| {
        // Two beyond the end name Contexts that do not exist.
        let edges =
            prop::collection::vec(prop::collection::hash_set(0..size + 2, 0..4), size).prop_map(|lists| {
                let without_self = |(n, list): (usize, std::collections::HashSet<usize>)| {
                    let mut list: Vec<_> = list.into_iter().filter(|to| *to != n).collect();
                    list.sort_by_key(|to| to.wrapping_mul(7919) % 101);
                    list
                };
                lists.into_iter().enumerate().map(without_self).collect()
            });
        let entries = prop::collection::vec(prop::array::uniform4(prop::bool::weighted(0.2)), size);
        let overrides = prop::array::uniform4(prop::bool::weighted(0.1));
        (edges, entries, overrides, 0..size + 1, prop::collection::vec(0..size + 2, 0..3)).prop_map(
            |(edges, entries, overrides, subject, virtuals)| Graph {
                edges,
                entries,
                overrides,
                subject,
                virtuals,
            },
        )
    })
}

/// The order of featuresd.md §3, from the specification: pre-order, each once, override and default around.
fn reference_order(graph: &Graph) -> Vec<usize> {
    let mut order = Vec::new();
    let mut open: Vec<usize> =
        std::iter::once(graph.subject).chain(graph.virtuals.iter().copied()).rev().collect();
    while let Some(next) = open.pop() {
        if next < graph.edges.len() && !order.contains(&next) {
            order.push(next);
            open.extend(graph.edges[next].iter().rev());
        }
    }
    order
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn random_graphs_resolve_as_the_reference_does(graph in graph()) {
        let order = reference_order(&graph);
        let snapshot = environment(&json!(graph.contexts()));
        let sent = graph.who().to_string();
        let context = Context::from_json(&sent).expect("a context");
        let Ok(chain) = snapshot.chain(&context) else {
            // Only a descent of more than 32 levels fails on so few Contexts.
            prop_assert!(order.len() > 32);
            return Ok(());
        };
        let keys: Vec<_> = chain.iter().map(|context| context.key.to_string()).collect();
        prop_assert_eq!(&keys, &order.iter().map(|n| format!("k{n}")).collect::<Vec<_>>());

        let found = look_up(&snapshot, &graph.who()).1;
        for (at, key) in FEATURES.iter().enumerate() {
            let source = order.iter().find(|n| graph.entries[**n][at]).map(|n| format!("k{n}"));
            let expected = if graph.overrides[at] { Some("override".to_owned()) } else { source };
            prop_assert_eq!(&found[*key].2, &expected.unwrap_or_default());
        }
    }

    #[test]
    fn a_look_up_tells_the_reference_order_and_everything_it_hides(graph in graph()) {
        let order = reference_order(&graph);
        let snapshot = environment(&json!(graph.contexts()));
        let subject = Subject {
            key: format!("k{}", graph.subject),
            prototypes: graph.virtuals.iter().map(|n| format!("k{n}")).collect(),
            ..Subject::default()
        };
        let Ok(lookup) = Lookup::new(&snapshot, &subject) else {
            prop_assert!(order.len() > 32);
            return Ok(());
        };
        let mut keys: Vec<_> = order.iter().map(|n| format!("k{n}")).collect();
        keys.insert(0, "override".into());
        keys.push("default".into());
        prop_assert_eq!(lookup.order(), keys);
        let evaluated = look_up(&snapshot, &graph.who()).1;
        for (at, key) in FEATURES.iter().enumerate() {
            let feature = snapshot.feature(key).expect("a feature");
            let mut holders: Vec<String> =
                order.iter().filter(|n| graph.entries[**n][at]).map(|n| format!("k{n}")).collect();
            if graph.overrides[at] {
                holders.insert(0, "override".into());
            }
            if *key != "ratio" {
                holders.push("default".into());
            }
            let explained = lookup.explain(feature, None);
            let shadowed: Vec<_> = explained.shadowed.iter().map(|(key, _)| (*key).to_owned()).collect();
            let source = match &explained.found.source {
                Source::Context(key) => Some((*key).to_owned()),
                _ => None,
            };
            // The first wins, and the rest is hidden in the order in which it would come up.
            prop_assert_eq!(source.as_ref(), holders.first());
            prop_assert_eq!(&shadowed, &holders[holders.len().min(1)..]);
            prop_assert_eq!(explained.found.value, lookup.find(feature).value);
            prop_assert_eq!(explained.found.value.unwrap_or("null"), evaluated[*key].0.as_str());
            // Each step of the path is a prototype of the one before.
            for step in explained.path.windows(2) {
                let listed = snapshot.context(step[0]).is_some_and(|c| c.prototypes.iter().any(|p| **p == *step[1]));
                let brought = step[0] == subject.key && subject.prototypes.iter().any(|p| p == step[1]);
                prop_assert!(listed || brought, "{:?}", explained.path);
            }
            prop_assert_eq!(explained.path.last().map(|key| (*key).to_owned()), source);
        }
    }

    #[test]
    fn an_entry_in_override_decides_every_look_up(graph in graph()) {
        let overridden = Graph { overrides: [true; 4], ..graph };
        let snapshot = environment(&json!(overridden.contexts()));
        let sent = overridden.who().to_string();
        let context = Context::from_json(&sent).expect("a context");
        prop_assume!(snapshot.chain(&context).is_ok());
        for (value, reason, source) in look_up(&snapshot, &overridden.who()).1.into_values() {
            prop_assert_eq!((reason, source.as_str()), ("OVERRIDE", "override"));
            prop_assert!(["\"b999\"", "true", "999"].contains(&value.as_str()));
        }
    }

    #[test]
    fn unrelated_contexts_and_their_order_change_nothing(graph in graph(), more in 0_usize..20) {
        let mut contexts = graph.contexts();
        let before = environment(&json!(contexts));
        let sent = graph.who().to_string();
        let context = Context::from_json(&sent).expect("a context");
        prop_assume!(before.chain(&context).is_ok());
        contexts.extend((0..more).map(|n| json!({"key": format!("other{n}"), "prototypes": ["k0"],
            "features": {"banner": "other"}})));
        contexts.reverse();
        let after = environment(&json!(contexts));
        prop_assert_eq!(look_up(&before, &graph.who()), look_up(&after, &graph.who()));
    }

    #[test]
    fn without_the_winner_the_next_in_the_order_wins(graph in graph()) {
        let order = reference_order(&graph);
        let mut holders = order.iter().filter(|n| graph.entries[**n][0]);
        let (Some(winner), next) = (holders.next(), holders.next()) else { return Ok(()) };
        let mut lesser = Graph { overrides: [false; 4], ..graph.clone() };
        lesser.entries[*winner][0] = false;
        let snapshot = environment(&json!(lesser.contexts()));
        let sent = lesser.who().to_string();
        let context = Context::from_json(&sent).expect("a context");
        prop_assume!(snapshot.chain(&context).is_ok());
        let found = look_up(&snapshot, &lesser.who()).1;
        prop_assert_eq!(&found["banner"].2, &next.map(|n| format!("k{n}")).unwrap_or_default());
    }
}
