//! Two tabs, one form: who is second sees both versions, and saves over the first only when they say so.

use super::Furnished;
use super::form::form;
use crate::support::Dump;

struct Case {
    /// The page with the form.
    page: &'static str,
    /// Where the form goes; the page itself where it is empty.
    action: &'static str,
    field: &'static str,
    theirs: &'static str,
    mine: &'static str,
    /// The button that saves anyway.
    again: &'static str,
}

const CASES: [Case; 12] = [
    Case {
        page: "/sites/shop/settings",
        action: "",
        field: "name",
        theirs: "Their shop",
        mine: "My shop",
        again: "",
    },
    Case {
        page: "/sites/shop/environments/dev/settings",
        action: "",
        field: "description",
        theirs: "Their words",
        mine: "My words",
        again: "",
    },
    Case {
        page: "/sites/shop/environments/prod/tokens/{token}",
        action: "",
        field: "description",
        theirs: "their shop",
        mine: "my shop",
        again: "",
    },
    Case {
        page: "/sites/shop/environments/prod/features/a?edit=settings",
        action: "/sites/shop/environments/prod/features/a/settings",
        field: "description",
        theirs: "Their words",
        mine: "My words",
        again: "",
    },
    Case {
        page: "/sites/shop/environments/prod/features/a/variants?variant=v",
        action: "/sites/shop/environments/prod/features/a/variants",
        field: "attachment",
        theirs: "\"theirs\"",
        mine: "\"mine\"",
        again: "",
    },
    Case {
        page: "/sites/shop/environments/prod/webhooks/{webhook}",
        action: "",
        field: "name",
        theirs: "Their chat",
        mine: "My chat",
        again: "",
    },
    Case {
        page: "/sites/shop/branding",
        action: "",
        field: "companyName",
        theirs: "Their company",
        mine: "My company",
        again: "",
    },
    Case {
        page: "/sites/shop/environments/prod/analytics",
        action: "/sites/shop/environments/prod/analytics/settings",
        field: "excludedFields",
        theirs: "theirs",
        mine: "mine",
        again: "",
    },
    Case {
        page: "/admin/users/{user}",
        action: "",
        field: "username",
        theirs: "theirs",
        mine: "mine",
        again: "",
    },
    Case {
        page: "/sites/shop/environments/prod/features/a?rule={rule}",
        action: "/sites/shop/environments/prod/features/a/rules/{rule}",
        field: "name",
        theirs: "Their rule",
        mine: "My rule",
        again: "overwrite",
    },
    Case {
        page: "/sites/shop/environments/prod/segments/s",
        action: "",
        field: "name",
        theirs: "Their staff",
        mine: "My staff",
        again: "overwrite",
    },
    Case {
        page: "/sites/shop/environments/prod/contexts/ann",
        action: "",
        field: "value",
        theirs: "their greeting",
        mine: "my greeting",
        again: "set",
    },
];

#[actix_web::test]
async fn a_second_tab_sees_both_versions_and_overwrites_only_when_asked() {
    for case in CASES {
        let furnished = Furnished::new();
        let page = furnished.fill(case.page);
        let action = if case.action.is_empty() { page.clone() } else { furnished.fill(case.action) };
        let mut first = furnished.server.signed_in("ana").await;
        let mut second = furnished.server.signed_in("ad").await;
        let save = |text: &str, value: &str, op: &str| {
            let mut changes = vec![(case.field, value)];
            if op == "overwrite" || text.contains("value=\"save\"") {
                changes.push(("op", op));
            }
            form(text, &action).with(&changes)
        };
        fn pairs(fields: &[(String, String)]) -> Vec<(&str, &str)> {
            fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
        }
        let (one, two) = (first.get(&page).await.body, second.get(&page).await.body);

        let theirs = save(&one, case.theirs, "save");
        assert_eq!(first.post_raw(&action, &pairs(&theirs)).await.status, 303, "{page}");

        let before = Dump::of(&furnished.server.app);
        let mine = save(&two, case.mine, "save");
        let reply = second.post_raw(&action, &pairs(&mine)).await;
        assert_eq!(reply.status, 422, "{page}: {}", reply.location);
        let shown = |value: &str| reply.body.contains(&value.replace('"', "&quot;"));
        assert!(
            reply.body.contains("Nothing was saved") && shown(case.theirs) && shown(case.mine),
            "{page}: {}",
            reply.body
        );
        let now = Dump::of(&furnished.server.app);
        assert_eq!(now.differing(&before), [""; 0], "{page}");

        // Sent once more, with what that page holds, it is meant.
        let again = if case.again.is_empty() { "save" } else { case.again };
        let fields = form(&reply.body, &action).with(&[(case.field, case.mine), ("op", again)]);
        let reply = second.post_raw(&action, &pairs(&fields)).await;
        assert_eq!(reply.status, 303, "{page}: {}", reply.body);
        // The first look at it has the way back to theirs.
        second.get(&page).await;
        let page = second.get(&page).await.body;
        assert!(
            page.contains(&case.mine.replace('"', "&quot;"))
                && !page.contains(&case.theirs.replace('"', "&quot;")),
            "{page}"
        );
    }
}
