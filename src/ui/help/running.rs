//! For those who run the server.

use maud::{Markup, html};

use super::{Reader, term};

pub fn git(reader: &Reader) -> Markup {
    let site = &reader.site;
    html! {
        p { "A whole site is one document: segments, environments, features with their rules, stored Contexts. Keep it in git, review changes, and apply it; applying it twice changes nothing. The page of a site has it as a download." }
        (reader.code("c-export", "Shell", &format!("featured export --site {site} --db flags.db > {site}.yaml")))
        (reader.code("c-import", "Shell", &format!("featured import {site}.yaml --dry-run --db flags.db\nfeatured import {site}.yaml --db flags.db")))
        p.m2 { "A dry run prints what would be created, updated and deleted, with every difference. " code { "--mode replace" } " also deletes what the document lacks. A locked feature must be unlocked by hand first." }
    }
}

pub fn running(reader: &Reader) -> Markup {
    html! {
        p { "One process, one file. " code { "featured --help" } " lists every option; each is also a variable FEATURED_… and a line in a TOML file." }
        dl.stack {
            (term("Health", "/healthz says that the process lives, /readyz that the database can be written and sealed secrets can be read, /metrics has numbers for Prometheus."))
            (term("Users at the terminal", "featured user add, passwd, reset-2fa and list work on the file, also beside a running server."))
            (term("Durability", "A change that was acknowledged is on disk. If the disk is full, evaluation goes on from memory and changes are refused with the reason."))
            (term("Upgrades", "A newer binary copies the file beside itself before it lifts it."))
            (term("The secret key", "Secrets are sealed with a key that is not in the database: what --secret-key-file names, else the text of FEATURED_SECRET_KEY, 32 characters or more, else the file flags.db.key beside it, made on first need. A backup does not hold it, so keep a copy apart. Without it everything is served; the sealed secrets are lost, and the dashboard and /readyz say so."))
        }
        h2 { "Mail" }
        p { "Codes, welcomes, reminders and links go through one SMTP server. Without one they stay in the outbox, where administrators read them." }
        (reader.code("c-mail", "Shell", "# TLS from the first byte\nfeatured --db flags.db --smtp-url smtps://user:password@mail.example\n# STARTTLS, which the server must offer\nfeatured --db flags.db --smtp-url smtp://user:password@mail.example:587\n# a server with a certificate of your own CA\nfeatured --db flags.db --smtp-url smtps://mail.internal --smtp-ca-file ca.pem"))
        p { "Mail is a row of the database: what was not sent before a crash is sent after it, and what fails is tried for three days. " code { "?tls=none" } " at the end of the URL sends in the clear, for a relay on the same machine." }
    }
}
