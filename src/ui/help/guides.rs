//! Code to copy, with the reader's own address, site, environment and a feature of theirs in it.

use maud::{Markup, html};

use super::Reader;

/// What stands where the reader's token goes.
const TOKEN: &str = "YOUR_TOKEN";

pub fn start(reader: &Reader) -> Markup {
    html! {
        ol {
            li { p { b { "Make a site. " } "One application or service; it comes with an environment " code { "prod" } ". " a href="/sites#new" { "New site" } } }
            li { p { b { "Make a feature. " } "Choose a key that says what it decides, and a type: BOOLEAN for a switch, or a text, a number, JSON." } }
            li { p { b { "Say who gets it. " } "Add a rule: conditions, how many of those who fulfil them, and what they get. Watch the panel beside it for a sample." } }
            li { p { b { "Make a token. " } @match &reader.tokens { Some(to) => a href=(to) { "Tokens of " (reader.site) ", " (reader.environment) }, None => "On the Tokens tab of the environment." } } }
            li { p { b { "Ask. " } "Take the code of your language: " a href="/help/browser" { "browser" } ", " a href="/help/react" { "React" } ", " a href="/help/node" { "Node" } ", " a href="/help/python" { "Python" } ", " a href="/help/curl" { "anything else" } "." } }
        }
    }
}

pub fn integrate(reader: &Reader) -> Markup {
    html! {
        p { "A program shows a token of one environment and sends what it knows about who asks: the context. It gets the value of each feature, and why." }
        h2 { "The token" }
        p { "A " b { "client" } " token may be public: it reads answers, never rules. A " b { "server" } " token may also read rules; keep it secret. "
            @if let Some(tokens) = &reader.tokens { a href=(tokens) { "Make one for " (reader.site) ", " (reader.environment) } "." } }
        h2 { "The context" }
        p { "Any JSON object. " code { "userId" } " decides rollouts and splits, so send it whenever you know it. Attributes that no rule looks at are not kept." }
        h2 { "The answer" }
        p { "A value that is null means that your own default applies: the feature is off, or has none. " code { "reason" } " says which step answered; " a href="/help/evaluation" { "How a value is found" } " lists them." }
        h2 { "When the server cannot be reached" }
        p { "Keep the last value, then your own default. The JavaScript client does this by itself: values are kept for five minutes, asked for again with their ETag, and used on while the server is away." }
        h2 { "Limits" }
        p { "100 requests a minute for each token, or for each address that shows it where it is a client token, unless it or the server says otherwise; over it the answer is 429 with " code { "Retry-After" } " (for FeatureHub’s clients 503). A stream counts once." }
        h2 { "Changes as they happen" }
        p { "The stream sends a snapshot, then what changes for this context:" }
        (reader.code("c-stream", "Shell", &format!("curl -N '{}/api/v1/sites/{}/environments/{}/stream?context=%7B%22userId%22%3A%22123%22%7D' \\\n  -H 'Authorization: Bearer {TOKEN}'", reader.base, reader.site, reader.environment)))
    }
}

pub fn browser(reader: &Reader) -> Markup {
    let Reader { base, site, environment, feature, .. } = reader;
    let script = format!(
        "<script src=\"{base}/feature-config.js\"></script>
<script>
  const client = new FeatureConfigClient({{
    apiToken: '{TOKEN}',
    baseUrl: '{base}/api/v1'
  }});

  // one value; null is your own default
  client.getFeature('{site}', '{environment}', '{feature}', null, {{ userId: '123' }})
    .then((value) => console.log(value));
</script>"
    );
    let live = format!(
        "const stop = client.subscribe('{site}', '{environment}', {{ userId: '123' }},
  (features) => console.log(features['{feature}']));"
    );
    let module = format!("import {{ FeatureConfigClient }} from '{base}/feature-config.min.js';");
    html! {
        p { "Use a client token: everybody who opens the page can read it." }
        (reader.code("c-script", "HTML", &script))
        p { "The context can hold whatever your rules look at: " code { "{ userId, plan, country, appVersion }" } "." }
        h2 { "Live" }
        p { "The listener is called at once and on every change; call what it returns to stop." }
        (reader.code("c-live", "JavaScript", &live))
        h2 { "As a module" }
        (reader.code("c-module", "JavaScript", &module))
        p.m2 { "Types are at " code { (base) "/feature-config.d.ts" } "." }
    }
}

pub fn react(reader: &Reader) -> Markup {
    let Reader { base, site, environment, feature, .. } = reader;
    let hook = format!(
        "import {{ useEffect, useState }} from 'react';
import {{ FeatureConfigClient }} from '{base}/feature-config.js';

const client = new FeatureConfigClient({{ apiToken: '{TOKEN}', baseUrl: '{base}/api/v1' }});

/** The features of one context; empty until the first answer, new with every change. */
export function useFeatures(context) {{
  const [features, setFeatures] = useState({{}});
  const key = JSON.stringify(context);
  useEffect(() => client.subscribe('{site}', '{environment}', JSON.parse(key), setFeatures), [key]);
  return features;
}}"
    );
    let used = format!(
        "function Page({{ user }}) {{
  const features = useFeatures({{ userId: user.id }});
  return features['{feature}']?.value ? <New /> : <Old />;
}}"
    );
    html! {
        p { "A hook that follows changes. Use a client token: it is in your bundle." }
        (reader.code("c-react", "JavaScript", &hook))
        h2 { "In a component" }
        (reader.code("c-react-use", "JSX", &used))
    }
}

pub fn node(reader: &Reader) -> Markup {
    let Reader { base, feature, .. } = reader;
    let code = format!(
        "const answer = await fetch('{base}/api/v1/evaluate', {{
  method: 'POST',
  headers: {{
    Authorization: 'Bearer {TOKEN}',
    'Content-Type': 'application/json'
  }},
  body: JSON.stringify({{ context: {{ userId: '123' }}, features: ['{feature}'] }}),
  signal: AbortSignal.timeout(5000)
}});
if (!answer.ok) throw new Error(`features: ${{answer.status}}`);
const {{ features }} = await answer.json();
console.log(JSON.stringify(features['{feature}'].value));"
    );
    html! {
        p { "Node 20 or newer needs nothing else. Use a server token, and read it from the environment of your process." }
        (reader.code("c-node", "JavaScript", &code))
        p { "Leave " code { "features" } " out for all of them. For many people at once there is " code { "/evaluate/batch" } " with up to 1 000 contexts." }
    }
}

pub fn python(reader: &Reader) -> Markup {
    let Reader { base, feature, .. } = reader;
    let code = format!(
        "import json, requests

answer = requests.post(
    \"{base}/api/v1/evaluate\",
    headers={{\"Authorization\": \"Bearer {TOKEN}\"}},
    json={{\"context\": {{\"userId\": \"123\"}}, \"features\": [\"{feature}\"]}},
    timeout=5,
)
answer.raise_for_status()
print(json.dumps(answer.json()[\"features\"][\"{feature}\"][\"value\"]))"
    );
    html! {
        p { "With " code { "pip install requests" } ". Use a server token, and read it from the environment of your process." }
        (reader.code("c-python", "Python", &code))
    }
}

pub fn curl(reader: &Reader) -> Markup {
    let Reader { base, site, environment, feature, .. } = reader;
    let post = format!(
        "curl -s '{base}/api/v1/evaluate' \\
  -H 'Authorization: Bearer {TOKEN}' -H 'Content-Type: application/json' \\
  -d '{{\"context\": {{\"userId\": \"123\"}}, \"features\": [\"{feature}\"]}}'"
    );
    let get = format!(
        "curl -s '{base}/api/v1/sites/{site}/environments/{environment}/features?context=%7B%22userId%22%3A%22123%22%7D' \\
  -H 'Authorization: Bearer {TOKEN}'"
    );
    html! {
        p { "One POST that every language can send:" }
        (reader.code("c-curl", "Shell", &post))
        h2 { "With a cache between" }
        p { "The same as a GET has an ETag: send it back as " code { "If-None-Match" } ", and nothing new is 304 without a body." }
        (reader.code("c-get", "Shell", &get))
        p { "Every call, parameter and answer: " a href="/api/docs" { "API reference" } "." }
    }
}
