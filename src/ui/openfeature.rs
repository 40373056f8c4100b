//! The help page "OpenFeature": how to set up the OFREP provider, language by language.

use maud::{Markup, html};

use super::help::code;

/// Name, what to install, and code. `{base}` and `{flag}` are the reader's own.
const LANGUAGES: &[(&str, &str, &str, &str)] = &[
    (
        "js",
        "JavaScript: Node",
        "npm install @openfeature/server-sdk @openfeature/ofrep-core @openfeature/ofrep-provider",
        "import { OpenFeature } from '@openfeature/server-sdk';
import { OFREPProvider } from '@openfeature/ofrep-provider';

await OpenFeature.setProviderAndWait(new OFREPProvider({
  baseUrl: '{base}',
  headers: [['Authorization', `Bearer ${process.env.FEATURED_TOKEN}`]]
}));
const client = OpenFeature.getClient();
console.log(await client.getBooleanValue('{flag}', false, { targetingKey: '123', plan: 'premium' }));",
    ),
    (
        "web",
        "JavaScript: browser, React, Angular",
        "npm install @openfeature/web-sdk @openfeature/ofrep-web-provider",
        "import { OpenFeature } from '@openfeature/web-sdk';
import { OFREPWebProvider } from '@openfeature/ofrep-web-provider';

// A client token: it is public here. Changes arrive by themselves, over an event stream.
await OpenFeature.setContext({ targetingKey: '123', plan: 'premium' });
await OpenFeature.setProviderAndWait(new OFREPWebProvider({
  baseUrl: '{base}',
  headers: [['Authorization', 'Bearer YOUR CLIENT TOKEN']]
}));
const client = OpenFeature.getClient();
console.log(client.getBooleanValue('{flag}', false));",
    ),
    (
        "python",
        "Python",
        "pip install openfeature-sdk openfeature-provider-ofrep",
        "import os
from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext

token = os.environ[\"FEATURED_TOKEN\"]
api.set_provider(OFREPProvider(\"{base}\", headers_factory=lambda: {\"Authorization\": f\"Bearer {token}\"}))
client = api.get_client()
print(client.get_boolean_value(\"{flag}\", False, EvaluationContext(\"123\", {\"plan\": \"premium\"})))",
    ),
    (
        "go",
        "Go",
        "go get github.com/open-feature/go-sdk github.com/open-feature/go-sdk-contrib/providers/ofrep",
        "provider := ofrep.NewProvider(\"{base}\", ofrep.WithBearerToken(os.Getenv(\"FEATURED_TOKEN\")))
if err := openfeature.SetProviderAndWait(provider); err != nil {
    log.Fatal(err)
}
client := openfeature.NewClient(\"app\")
who := openfeature.NewEvaluationContext(\"123\", map[string]any{\"plan\": \"premium\"})
value, err := client.BooleanValue(context.Background(), \"{flag}\", false, who)",
    ),
    (
        "java",
        "Java",
        "dev.openfeature:sdk and dev.openfeature.contrib.providers:ofrep",
        "OfrepProviderOptions options = OfrepProviderOptions.builder()
    .baseUrl(\"{base}\")
    .headers(ImmutableMap.of(\"Authorization\", ImmutableList.of(\"Bearer \" + System.getenv(\"FEATURED_TOKEN\"))))
    .build();
OpenFeatureAPI.getInstance().setProviderAndWait(OfrepProvider.constructProvider(options));
Client client = OpenFeatureAPI.getInstance().getClient();
EvaluationContext who = new ImmutableContext(\"123\", Map.of(\"plan\", new Value(\"premium\")));
boolean value = client.getBooleanValue(\"{flag}\", false, who);",
    ),
    (
        "kotlin",
        "Kotlin: Android",
        "dev.openfeature:kotlin-sdk and dev.openfeature.kotlin.contrib.providers:ofrep",
        "val options = OfrepOptions(
    endpoint = \"{base}\",
    // Releases for Android alone take okhttp's Headers.headersOf(\"Authorization\", …).
    headers = mapOf(\"Authorization\" to \"Bearer YOUR CLIENT TOKEN\")
)
OpenFeatureAPI.setProviderAndWait(OfrepProvider(options), ImmutableContext(targetingKey = \"123\"))
val value = OpenFeatureAPI.getClient().getBooleanValue(\"{flag}\", false)",
    ),
    (
        "csharp",
        "C#: .NET",
        "dotnet add package OpenFeature.Providers.Ofrep",
        "var config = new OfrepConfiguration(\"{base}\")
{
    Headers = new Dictionary<string, string>
    {
        [\"Authorization\"] = \"Bearer \" + Environment.GetEnvironmentVariable(\"FEATURED_TOKEN\")
    }
};
await Api.Instance.SetProviderAsync(new OfrepProvider(config));
var who = EvaluationContext.Builder().SetTargetingKey(\"123\").Set(\"plan\", \"premium\").Build();
var value = await Api.Instance.GetClient().GetBooleanValueAsync(\"{flag}\", false, who);",
    ),
    (
        "php",
        "PHP",
        "composer require open-feature/sdk open-feature/go-feature-flag-provider",
        "// The provider of GO Feature Flag speaks OFREP.
$config = new OpenFeature\\Providers\\GoFeatureFlag\\config\\Config('{base}', getenv('FEATURED_TOKEN'));
$api = OpenFeature\\OpenFeatureAPI::getInstance();
$api->setProvider(new OpenFeature\\Providers\\GoFeatureFlag\\GoFeatureFlagProvider($config));
$who = new OpenFeature\\implementation\\flags\\EvaluationContext('123');
$value = $api->getClient()->getBooleanValue('{flag}', false, $who);",
    ),
    (
        "ruby",
        "Ruby",
        "bundle add openfeature-sdk openfeature-ofrep-provider",
        "require \"open_feature/sdk\"
require \"openfeature/ofrep/provider\"

configuration = OpenFeature::OFREP::Configuration.new(
  base_url: \"{base}\",
  headers: { \"Authorization\" => \"Bearer #{ENV[\"FEATURED_TOKEN\"]}\" }
)
OpenFeature::SDK.configure do |config|
  config.set_provider(OpenFeature::OFREP::Provider.new(configuration: configuration))
end
who = OpenFeature::SDK::EvaluationContext.new(targeting_key: \"123\", plan: \"premium\")
OpenFeature::SDK.build_client.fetch_boolean_value(flag_key: \"{flag}\", default_value: false, evaluation_context: who)",
    ),
    (
        "swift",
        "Swift: iOS",
        "https://github.com/go-feature-flag/openfeature-swift-provider.git, product OFREP",
        "let options = OfrepProviderOptions(
    endpoint: \"{base}\",
    headers: [\"Authorization\": \"Bearer YOUR CLIENT TOKEN\"]
)
await OpenFeatureAPI.shared.setProviderAndWait(
    provider: OfrepProvider(options: options),
    initialContext: ImmutableContext(targetingKey: \"123\")
)
let value = OpenFeatureAPI.shared.getClient().getBooleanValue(key: \"{flag}\", defaultValue: false)",
    ),
    (
        "rust",
        "Rust",
        "cargo add open-feature open-feature-ofrep",
        "let token = format!(\"Bearer {}\", std::env::var(\"FEATURED_TOKEN\")?);
let provider = OfrepProvider::new(OfrepOptions {
    base_url: \"{base}\".into(),
    headers: HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_str(&token)?)]),
    ..Default::default()
}).await?;
let mut api = OpenFeature::singleton_mut().await;
api.set_provider(provider).await;
let who = EvaluationContext::default().with_targeting_key(\"123\").with_custom_field(\"plan\", \"premium\");
let value = api.create_client().get_bool_value(\"{flag}\", Some(&who), None).await;",
    ),
];

/// The page, with the reader's address and one of their flags in every example.
pub fn page(base: &str, flag: &str) -> Markup {
    html! {
        p { "OpenFeature is one API for feature flags in every language; OFREP is how its SDKs ask a server over HTTP. featured answers OFREP 0.3 at " code { (base) "/ofrep/v1" } ". A token of an environment says which flags are meant: put it in " code { "Authorization: Bearer" } " or " code { "X-API-Key" } "." }
        p { "Browsers and apps take a client token. The targeting key is the user: rollouts and splits stick to it, and rules read it as " code { "userId" } ". Everything else in the context is an attribute." }
        nav.chips aria-label="Languages" { @for (id, name, ..) in LANGUAGES { a.chip href={ "#l-" (id) } { (name) } } }
        @for (id, name, install, text) in LANGUAGES {
            section id={ "l-" (id) } {
                h2 { (name) }
                (code(&format!("i-{id}"), install))
                (code(&format!("c-{id}"), &text.replace("{base}", base).replace("{flag}", flag)))
            }
        }
        section { h2 { "What comes back" }
            dl.stack {
                (reason("STATIC", "The feature has no rules, or the emergency override answers; metadata.source then says OVERRIDE."))
                (reason("TARGETING_MATCH", "A rule decided: the variant is rule- and its id. Or a stored Context: metadata.source says CONTEXT."))
                (reason("SPLIT", "A rollout or a split decided; in a split the variant is that of the feature."))
                (reason("DEFAULT", "There are rules, and none is for this user."))
                (reason("DISABLED", "Switched off: BOOLEAN is false, every other type leaves the value in your code."))
            }
            p.m2 { "NUMBER is sent as you wrote it: 5 is an integer to typed clients, 5.0 is not. JSON features hold objects or lists; a bare text or number in one may be refused by typed clients." }
        }
    }
}

fn reason(word: &str, text: &str) -> Markup {
    html! { div.stack.t { dt.b { code { (word) } } dd.m2 { (text) } } }
}
