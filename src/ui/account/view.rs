//! How the profile looks: a section each, with its forms.

use maud::{Markup, html};

use super::{Account, State};
use crate::admin::two_factor::Seed;
use crate::auth::browser::Signed;
use crate::clock::rfc3339;
use crate::engine::permission::Role;
use crate::store::gdpr::Status;
use crate::store::sessions::Session;
use crate::ui::components::form::{Text, Typed, error, select};
use crate::ui::components::{ago, icon};
use crate::ui::layout::role_name;
use crate::ui::qr;

/// The whole page.
pub fn main(signed: &Signed, account: &Account, state: &State, must: bool) -> Markup {
    let csrf = html! { input type="hidden" name="csrf" value=(signed.csrf.0); };
    html! {
        div.head { div { h1 { "Profile and security" } } }
        @if must && account.user.two_factor == "none" {
            div.banner.warn role="status" {
                (icon("shield"))
                span.grow { b { "Two-factor sign-in comes first." } " " span.m2 { "Your role needs it. Set it up below; everything else waits until then." } }
            }
        }
        div.cols.side {
            nav.toc.sticky aria-label="On this page" {
                a href="#acct" { "Account" }
                a href="#pw" { "Password" }
                a href="#tfa" { "Two-factor sign-in" }
                a href="#dev" { "Trusted devices" }
                a href="#ses" { "Sessions" }
                a href="#pat" { "Access tokens" }
                a href="#look" { "Appearance" }
                a href="#data" { "My data" }
            }
            div.stack.l {
                (who(account))
                (password(&csrf, account, &state.password))
                (two_factor(&csrf, account, state))
                (devices(&csrf, account))
                (sessions(&csrf, signed, account))
                (tokens(&csrf, account, state))
                (look(&csrf, signed))
                (data(&csrf, account))
            }
        }
    }
}

fn data(csrf: &Markup, account: &Account) -> Markup {
    section(
        "data",
        "My data",
        html! { p.m2.s { "What this server keeps of you: account, sites, what you changed, devices, requests." } },
        html! {
            @if !account.asked.is_empty() {
                ul.list { @for request in &account.asked {
                    li {
                        div.grow { b { (request.kind.as_str()) } " " span.m2.s { (match request.status {
                            Status::Pending => "pending",
                            Status::Completed if request.has_export => "ready: an administrator can hand you the file",
                            Status::Completed => "completed",
                            Status::Failed => "failed",
                        }) } }
                        (ago(request.created_at, account.now))
                    }
                } }
            }
            form method="post" action="/account/data" { (csrf) button.btn { (icon("download")) "Ask for my data" } }
        },
    )
}

fn section(id: &str, title: &str, lede: Markup, body: Markup) -> Markup {
    html! {
        section.psec id=(id) aria-labelledby={ (id) "-title" } {
            header { h2 id={ (id) "-title" } { (title) } (lede) }
            (body)
        }
    }
}

fn role_says(role: Role) -> &'static str {
    match role {
        Role::Admin => "everything, users included",
        Role::Editor => "changes sites, features, rules and tokens",
        Role::Viewer => "reads",
    }
}

fn who(account: &Account) -> Markup {
    let user = &account.user;
    section(
        "acct",
        "Account",
        html! { p.s.m2 { "An administrator changes these." } },
        html! {
            dl.facts {
                dt { "Username" } dd { (user.username) }
                dt { "E-mail" } dd { (user.email) }
                dt { "Role" } dd { (role_name(user.role)) " " span.m3 { (role_says(user.role)) } }
                dt { "Since" } dd { (ago(user.created_at, account.now)) }
            }
        },
    )
}

fn password(csrf: &Markup, account: &Account, typed: &Typed) -> Markup {
    section(
        "pw",
        "Password",
        html! { p.s.m2 { "Changing it signs you out everywhere else." } },
        html! {
            form method="post" action="/account/password" .stack {
                (csrf)
                // For password managers.
                input.vh tabindex="-1" aria-hidden="true" name="username" autocomplete="username" value=(account.user.username) readonly;
                (Text::new("current", "Now").kind("password").autocomplete("current-password").required().draw(typed))
                (Text::new("password", "New").kind("password").autocomplete("new-password").required()
                    .hint("8 characters or more. A few words make a good one.").draw(typed))
                div { button.btn { "Change password" } }
            }
        },
    )
}

fn state_note(account: &Account) -> Markup {
    let on = account.user.two_factor != "none";
    let lost = account.user.two_factor == "totp" && matches!(account.seed, Seed::Lost);
    html! {
        @if lost {
            span.note.warn { (icon("warn")) "Lost" }
        } @else if on {
            span.note.good { (icon("check")) @if account.user.two_factor == "totp" { "On, with an app" } @else { "On, by e-mail" } }
        } @else {
            span.note.warn { (icon("warn")) "Off" }
        }
    }
}

fn two_factor(csrf: &Markup, account: &Account, state: &State) -> Markup {
    let lede = html! {
        p.s.m2 { (state_note(account)) " A code beside the password. Administrators must have it within 7 days." }
    };
    let on = account.user.two_factor != "none";
    section(
        "tfa",
        "Two-factor sign-in",
        lede,
        html! {
            div.stack {
                @if !state.new_codes.is_empty() { (new_codes(&state.new_codes)) }
                @if on { (turned_on(csrf, account, state)) } @else { (set_up(csrf, account, &state.code)) }
            }
        },
    )
}

fn new_codes(codes: &[String]) -> Markup {
    html! {
        div.banner role="status" {
            div.grow.stack {
                b { "Keep these 8 backup codes; they are not shown again." }
                p.s.m2 { "Each lets you in once when the app or the mailbox is out of reach. Codes made before do not work any more." }
                code.wrapany #backup-codes { @for (at, code) in codes.iter().enumerate() { @if at > 0 { " " br; } (code) } }
            }
            button.btn type="button" data-copy="backup-codes" aria-label="Copy backup codes" { (icon("copy")) span { "Copy" } }
        }
    }
}

fn turned_on(csrf: &Markup, account: &Account, state: &State) -> Markup {
    let left = account.codes_left;
    html! {
        @if matches!(account.seed, Seed::Lost) {
            div.banner.warn {
                (icon("warn"))
                span.grow { b { "This server lost the secret of your app." } " " span.m2 { "Its key file is gone, so codes from the app are not accepted. Turn two-factor sign-in off and set it up anew." } }
            }
        }
        form method="post" action="/account/two-factor/codes" .row.wrap {
            (csrf)
            span.grow { b { (left) @if left == 1 { " backup code" } @else { " backup codes" } " left" } " " span.m3 { "of 8" } }
            button.btn { "Make them anew" }
        }
        form method="post" action="/account/two-factor/off" .stack {
            (csrf)
            // For password managers.
            input.vh tabindex="-1" aria-hidden="true" name="username" autocomplete="username" value=(account.user.username) readonly;
            (Text::new("off-password", "Your password").kind("password").autocomplete("current-password").required()
                .hint("Asked for, so that nobody at your desk can turn this off.").draw(&state.off))
            div { button.btn.danger { "Turn off" } }
        }
    }
}

fn code_form(csrf: &Markup, by: &str, label: &str, typed: &Typed) -> Markup {
    let wrong = typed.error("code").is_some();
    html! {
        form method="post" action="/account/two-factor/confirm" .stack {
            (csrf)
            input type="hidden" name="by" value=(by);
            div.field {
                label for="code" { (label) }
                input.mono.mid #code name="code" inputmode="numeric" autocomplete="one-time-code" maxlength="10" required
                    aria-invalid=[wrong.then_some("true")] aria-describedby=[wrong.then_some("code-error")];
                (error("code", typed))
            }
            div { button.btn.main { "Turn on" } }
        }
    }
}

/// `JBSW Y3DP …`: groups of four are easier to type.
fn grouped(secret: &str) -> String {
    let chars: Vec<char> = secret.chars().collect();
    chars.chunks(4).map(|chunk| chunk.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

fn set_up(csrf: &Markup, account: &Account, typed: &Typed) -> Markup {
    let button = |action: &str, class: &str, image: &str, label: &str| {
        html! {
            form method="post" action={ "/account/two-factor/" (action) } { (csrf) button class=(class) { (icon(image)) (label) } }
        }
    };
    if let Seed::Known(totp) = &account.seed {
        let url = totp.to_url().unwrap_or_default();
        return html! {
            ol.steps {
                li {
                    b { "Scan this with an authenticator app" }
                    div.row.wrap.top {
                        (qr::draw(&url, "QR code; the same secret is written beside it"))
                        div.stack {
                            span.s.m2 { "Or type the secret:" }
                            div.row {
                                code.wrapany #secret { (grouped(&totp.secret().to_base32())) }
                                button.btn.quiet type="button" data-copy="secret" aria-label="Copy secret" { (icon("copy")) span { "Copy" } }
                            }
                        }
                    }
                }
                li { b { "Type the six digits it shows" } (code_form(csrf, "app", "Code", typed)) }
                li { b { "Keep the 8 backup codes" } span.s.m2 { "They are shown once, after the app works." } }
            }
            div.row.wrap {
                (button("email", "btn quiet", "mail", "Use codes by e-mail instead"))
                (button("cancel", "btn quiet", "cross", "Not now"))
            }
        };
    }
    html! {
        @if account.mailed {
            (code_form(csrf, "email", "The code from the e-mail", typed))
        } @else if let Some(message) = typed.error("code") {
            div.banner.danger role="alert" { (icon("error")) span.grow { "The code " (message) } }
        }
        div.row.wrap {
            (button("app", if account.mailed { "btn" } else { "btn main" }, "phone", "Set up an app"))
            (button("email", "btn", "mail", if account.mailed { "Send the code again" } else { "Use codes by e-mail" }))
        }
    }
}

/// `Firefox on Linux`, from what the browser says of itself.
fn browser(agent: &str) -> String {
    let first = |names: &[(&'static str, &'static str)]| {
        names.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name)
    };
    let browser = first(&[
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ]);
    let system = first(&[
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "A browser".to_owned(),
    }
}

fn browser_icon(agent: &str) -> Markup {
    icon(if agent.contains("Mobile") || agent.contains("iPhone") { "phone" } else { "laptop" })
}

fn devices(csrf: &Markup, account: &Account) -> Markup {
    section(
        "dev",
        "Trusted devices",
        html! { p.s.m2 { "Skip the code for 30 days." } },
        html! {
            @if account.devices.is_empty() {
                p.s.m2 { "None. Tick “Trust this device” when you sign in with a code." }
            } @else {
                ul.list {
                    @for device in &account.devices {
                        li {
                            (browser_icon(&device.user_agent))
                            span.grow {
                                b { (browser(&device.user_agent)) } " "
                                span.m3 {
                                    @if account.this_device == Some(device.hash) { "this one, " }
                                    "last used " (ago(device.last_used_at, account.now))
                                }
                            }
                            @let until = rfc3339(device.expires_at);
                            time datetime=(until) title=(until) { "until " (&until[..10]) }
                            form method="post" action={ "/account/devices/" (device.uuid) "/forget" } { (csrf) button.btn.quiet { "Forget" } }
                        }
                    }
                }
            }
        },
    )
}

fn session_row(csrf: &Markup, session: &Session, current: bool, account: &Account) -> Markup {
    html! {
        li {
            (browser_icon(&session.user_agent))
            span.grow {
                b { (browser(&session.user_agent)) } " "
                @if current { span.note.good { (icon("check")) "this session" } " " }
                span.m3 { (session.address) @if !session.confirmed { ", no code given yet" } }
            }
            (ago(session.last_seen_at, account.now))
            @if !current {
                form method="post" action={ "/account/sessions/" (session.uuid) "/end" } { (csrf) button.btn.quiet { "Sign out" } }
            }
        }
    }
}

fn sessions(csrf: &Markup, signed: &Signed, account: &Account) -> Markup {
    section(
        "ses",
        "Sessions",
        html! {},
        html! {
            ul.list {
                @for session in &account.sessions { (session_row(csrf, session, session.id == signed.session.id, account)) }
            }
        },
    )
}

fn tokens(csrf: &Markup, account: &Account, state: &State) -> Markup {
    let lede = html! { p.s.m2 { "For scripts. They may do what you may." } };
    let typed = &state.token;
    section(
        "pat",
        "Access tokens",
        lede,
        html! {
            div.stack {
                @if let Some(secret) = &state.new_token {
                    div.banner role="status" {
                        span.grow { b { "Copy it now; it is not shown again." } br; code.wrapany #new-token { (secret) } }
                        button.btn type="button" data-copy="new-token" aria-label="Copy token" { (icon("copy")) span { "Copy" } }
                    }
                }
                @if !account.tokens.is_empty() {
                    ul.list {
                        @for token in &account.tokens {
                            li {
                                (icon("key"))
                                span.grow {
                                    b { (token.description) } " "
                                    span.m3 { "made " (ago(token.created_at, account.now)) @if let Some(at) = token.last_used_at { ", used " (ago(at, account.now)) } }
                                }
                                @match token.expires_at {
                                    None => span.m3.xs { "no expiry" },
                                    Some(at) => { @let at_text = rfc3339(at); time datetime=(at_text) { @if at <= account.now { "expired " } @else { "until " } (&at_text[..10]) } }
                                }
                                form method="post" action={ "/account/tokens/" (token.uuid) "/revoke" } { (csrf) button.btn.quiet { "Revoke" } }
                            }
                        }
                    }
                }
                form method="post" action="/account/tokens" .stack {
                    (csrf)
                    (Text::new("description", "What is it for?").required().draw(typed))
                    (select("days", "Works for", &[("90", "90 days"), ("30", "30 days"), ("365", "a year"), ("forever", "until revoked")], typed))
                    div { button.btn { "Make a token" } }
                }
            }
        },
    )
}

fn look(csrf: &Markup, signed: &Signed) -> Markup {
    let session = &signed.session;
    let theme = |value: &str, label: &str| {
        html! { label { input type="radio" name="theme" value=(value) checked[session.theme == value]; (label) } }
    };
    section(
        "look",
        "Appearance",
        html! {},
        html! {
            form method="post" action="/account/look" .stack {
                (csrf)
                fieldset {
                    legend.vh { "Colours" }
                    span.seg { (theme("system", "As the system")) (theme("light", "Light")) (theme("dark", "Dark")) }
                }
                label.check {
                    input type="checkbox" name="keys" value="on" checked[session.single_keys]; " "
                    span { "Single-key shortcuts: " kbd { "/" } " searches, " kbd { "G" } " " kbd { "F" } " goes to features" }
                }
                label.check { input type="checkbox" name="dense" value="on" checked[session.dense]; " Dense tables" }
                div { button.btn { "Save" } }
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_have_names_that_people_know() {
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
        let safari =
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile/15E148 Safari/604.1";
        assert_eq!(browser(firefox), "Firefox on Linux");
        assert_eq!(browser(safari), "Safari on iPhone");
        assert_eq!(browser("<script>"), "A browser");
    }
}
