import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.featurehub.client.ClientContext;
import io.featurehub.client.EdgeFeatureHubConfig;
import io.featurehub.client.Readyness;
import io.featurehub.client.edge.EdgeRetryer;
import io.featurehub.client.jersey.JerseySSEClient;
import io.featurehub.client.jersey.TestSDKClient;
import io.featurehub.sse.model.FeatureStateUpdate;
import io.featurehub.sse.model.StrategyAttributeCountryName;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.math.BigDecimal;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Streaming with keys of both kinds: what the server owes this SDK. */
class FeatureHubTest {
    private static final String URL = required("FEATURED_URL");
    private static final String SHOP = URL + "/api/v1/sites/shop/environments/prod";
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final HttpClient HTTP =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    /** Of this id fred is in bucket 218878 of a million, mary in 551984. */
    private static final String BUCKETS = "6b1f3c52-0d3e-4b8e-9a51-2f0c6f2b7a10";

    private final String prefix = "J_" + UUID.randomUUID().toString().substring(0, 8) + "_";

    private static String required(String name) {
        String value = System.getenv(name);
        if (value == null || value.isEmpty()) {
            throw new IllegalStateException(name + " is not set: start the suites with tests/clients/run.sh");
        }
        return value;
    }

    private static JsonNode ask(String method, String url, String person, Object body) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create(url))
                .header("Authorization", "Bearer " + person)
                .header("Content-Type", "application/json")
                .method(method, body == null
                        ? HttpRequest.BodyPublishers.noBody()
                        : HttpRequest.BodyPublishers.ofString(JSON.writeValueAsString(body)))
                .build();
        HttpResponse<String> reply = HTTP.send(request, HttpResponse.BodyHandlers.ofString());
        assertTrue(reply.statusCode() < 300, method + " " + url + ": " + reply.statusCode() + " " + reply.body());
        return reply.body().isEmpty() ? null : JSON.readTree(reply.body());
    }

    private static JsonNode admin(String method, String path, Object body) throws Exception {
        return ask(method, SHOP + path, required("FEATURED_PAT"), body);
    }

    private static Map<String, Object> is(String attribute, String value) {
        return Map.of("attribute", attribute, "operator", "equals", "value", value);
    }

    private static Map<String, Object> rule(String name, Map<String, Object> when, Object value) {
        return Map.of("name", name, "when", when, "outcome", Map.of("value", value));
    }

    private String make(String name, Map<String, Object> feature) throws Exception {
        Map<String, Object> body = new java.util.HashMap<>(feature);
        body.put("key", prefix + name);
        admin("POST", "/features", body);
        return prefix + name;
    }

    private static String key(String kind, String... permissions) throws Exception {
        Map<String, Object> body =
                Map.of("description", "java", "kind", kind, "permissions", permissions, "rateLimit", 0);
        return admin("POST", "/tokens", body).get("featurehubKey").asText();
    }

    private static void until(String what, Callable<Boolean> check) throws Exception {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(40);
        while (!check.call()) {
            assertTrue(System.nanoTime() < end, "waited in vain: " + what);
            Thread.sleep(25);
        }
    }

    /** A client of the SDK, ready; it comes back soon when a stream ends. */
    private static EdgeFeatureHubConfig connect(String url, String key) throws Exception {
        EdgeFeatureHubConfig config = new EdgeFeatureHubConfig(url, key);
        config.setEdgeService(() -> new JerseySSEClient(
                config.getRepository(),
                config,
                EdgeRetryer.EdgeRetryerBuilder.anEdgeRetrier()
                        .withServerDisconnectRetryMs(200)
                        .withServerByeReconnectMs(50)
                        .withBackoffFactorMs(1)
                        .withMaximumBackoffTimeMs(500)
                        .build()));
        config.init();
        until("ready", () -> config.getReadyness() == Readyness.Ready);
        return config;
    }

    private static ClientContext change(ClientContext context, Map<String, String> attributes) throws Exception {
        context.clear();
        attributes.forEach(context::attr);
        ClientContext built = context.build().get(30, TimeUnit.SECONDS);
        assertEquals(attributes.keySet(), built.context().keySet());
        return built;
    }

    @ParameterizedTest
    @ValueSource(strings = {"server", "client"})
    void everyTypeStrategiesAndChangesOfContext(String kind) throws Exception {
        String text = make("TEXT", Map.of("type", "STRING", "defaultValue", "hello"));
        String count = make("COUNT", Map.of("type", "NUMBER", "defaultValue", 17.5));
        String limits = make("LIMITS", Map.of("type", "JSON", "defaultValue", Map.of("max", 5)));
        String flag = make("FLAG", Map.of("type", "BOOLEAN", "defaultValue", false, "rules", List.of(
                rule("user", is("userId", "ana"), true))));
        String unset = make("UNSET", Map.of("type", "STRING"));
        String who = make("WHO", Map.of(
                "type", "STRING", "defaultValue", "nobody", "bucketing", "murmur3", "bucketingId", BUCKETS,
                "rules", List.of(
                        rule("country", is("country", "turkey"), "country"),
                        rule("version", Map.of("attribute", "version", "operator", "semver_gte", "value", "2.1.0"), "version"),
                        Map.of("name", "half", "rollout", Map.of("percentage", 53.5), "outcome", Map.of("value", "half")))));
        EdgeFeatureHubConfig config = connect(URL, key(kind));
        assertEquals(kind.equals("client"), config.isServerEvaluation());
        ClientContext context = config.newContext().userKey("mary").build().get(30, TimeUnit.SECONDS);
        until("ready", () -> config.getReadyness() == Readyness.Ready);
        assertEquals("hello", context.feature(text).getString());
        assertEquals(0, new BigDecimal("17.5").compareTo(context.feature(count).getNumber()));
        assertEquals(5, JSON.readTree(context.feature(limits).getRawJson()).get("max").asInt());
        assertEquals(false, context.feature(flag).getBoolean());
        assertFalse(context.isSet(unset));
        assertFalse(context.feature(text).isLocked());
        // Where this SDK evaluates by itself it hashes with a seed of its own: fred is in 549167, mary in 85577.
        String fred = kind.equals("client") ? "half" : "nobody";
        String mary = kind.equals("client") ? "nobody" : "half";
        Map<Map<String, String>, List<Object>> wanted = Map.of(
                Map.of("userkey", "fred"), List.of(false, fred),
                Map.of("userkey", "mary"), List.of(false, mary),
                Map.of("userkey", "mary", "session", "fred"), List.of(false, fred),
                Map.of("userkey", "mary", "country", StrategyAttributeCountryName.TURKEY.getValue()), List.of(false, "country"),
                Map.of("userkey", "mary", "version", "2.10.0"), List.of(false, "version"),
                Map.of("userkey", "mary", "version", "2.0.9"), List.of(false, mary));
        for (var one : wanted.entrySet()) {
            ClientContext changed = change(context, one.getKey());
            Callable<List<Object>> found = () ->
                    Arrays.asList(changed.feature(flag).getBoolean(), changed.feature(who).getString());
            try {
                until("the values", () -> one.getValue().equals(found.call()));
            } catch (AssertionError error) {
                assertEquals(one.getValue(), found.call(), kind + " " + one.getKey());
            }
        }
        ClientContext ana = change(context, Map.of("userkey", "ana"));
        until("ana", () -> ana.feature(flag).isEnabled());
        config.close();
        for (String made : List.of(text, count, limits, flag, unset, who)) admin("DELETE", "/features/" + made, null);
    }

    @ParameterizedTest
    @ValueSource(strings = {"server", "client"})
    void changesLocksRetirementAndDeletionArriveByThemselves(String kind) throws Exception {
        EdgeFeatureHubConfig config = connect(URL, key(kind));
        ClientContext context = config.newContext().userKey("mary").build().get(30, TimeUnit.SECONDS);
        String live = make("LIVE", Map.of("type", "STRING", "defaultValue", "1"));
        until("made", () -> "1".equals(context.feature(live).getString()));
        List<String> heard = Collections.synchronizedList(new ArrayList<>());
        config.getRepository().getFeatureState(live).addListener((state) -> heard.add(state.getString()));
        admin("PATCH", "/features/" + live, Map.of("defaultValue", "2"));
        until("changed", () -> "2".equals(context.feature(live).getString()));
        until("heard", () -> heard.contains("2"));
        admin("PATCH", "/features/" + live, Map.of("locked", true));
        until("locked", () -> context.feature(live).isLocked());
        admin("PATCH", "/features/" + live, Map.of("locked", false));
        until("unlocked", () -> !context.feature(live).isLocked());
        admin("PATCH", "/features/" + live, Map.of("rules", List.of(rule("r", is("userId", "mary"), "hers"))));
        until("strategies alone", () -> "hers".equals(context.feature(live).getString()));
        admin("PATCH", "/features/" + live, Map.of("retired", true));
        until("retired", () -> !context.isSet(live));
        admin("PATCH", "/features/" + live, Map.of("retired", false));
        until("back", () -> "hers".equals(context.feature(live).getString()));
        admin("DELETE", "/features/" + live, null);
        until("deleted", () -> !context.isSet(live));
        config.close();
    }

    @Test
    void theTestClientChangesValuesAndLocksWithinItsPermissions() throws Exception {
        String tested = make("TESTED", Map.of("type", "STRING", "defaultValue", "a"));
        EdgeFeatureHubConfig config = connect(URL, key("server", "CHANGE_VALUE", "LOCK", "UNLOCK"));
        TestSDKClient tests = new TestSDKClient(config);
        tests.setFeatureState(config.apiKey(), tested, new FeatureStateUpdate().value("b"));
        until("b", () -> "b".equals(config.getRepository().getFeatureState(tested).getString()));
        tests.setFeatureState(config.apiKey(), tested, new FeatureStateUpdate().lock(true));
        until("locked", () -> config.getRepository().getFeatureState(tested).isLocked());
        assertThrows(Exception.class, () ->
                tests.setFeatureState(config.apiKey(), tested, new FeatureStateUpdate().value("c").updateValue(true)));
        tests.setFeatureState(config.apiKey(), tested, new FeatureStateUpdate().lock(false).value("c").updateValue(true));
        until("c", () -> "c".equals(config.getRepository().getFeatureState(tested).getString()));
        EdgeFeatureHubConfig reader = connect(URL, key("server"));
        assertThrows(Exception.class, () ->
                new TestSDKClient(reader).setFeatureState(reader.apiKey(), tested, new FeatureStateUpdate().value("d")));
        reader.close();
        config.close();
        admin("DELETE", "/features/" + tested, null);
    }

    @Test
    void anUnknownKeyFails() throws Exception {
        String known = key("server");
        EdgeFeatureHubConfig config = new EdgeFeatureHubConfig(URL, known.substring(0, known.length() - 3) + "xyz");
        config.init();
        until("failed", () -> config.getReadyness() == Readyness.Failed);
        config.close();
    }

    /** Runs a command on a database of our own. */
    private static String featured(Path folder, String input, String... words) throws Exception {
        List<String> command = new ArrayList<>(List.of(required("FEATURED_BIN")));
        command.addAll(List.of(words));
        command.addAll(List.of("--db", folder.resolve("flags.db").toString()));
        Path typed = Files.writeString(folder.resolve("input"), input);
        Process process = new ProcessBuilder(command).redirectInput(typed.toFile()).redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes());
        assertEquals(0, process.waitFor(), said);
        return said.trim();
    }

    /** Serves that database; the address stands in its first line. */
    private static Process serve(Path folder, String listen, String dropAfter) throws IOException {
        return new ProcessBuilder(required("FEATURED_BIN"), "--db", folder.resolve("flags.db").toString(),
                "--listen", listen, "--featurehub-drop-after", dropAfter)
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
    }

    private static String address(Process server) throws IOException {
        String line = new BufferedReader(new InputStreamReader(server.getInputStream())).readLine();
        return line.substring(line.indexOf("http://"));
    }

    /** A database of our own with one feature, a person, and a key of each kind. */
    private record Own(Path folder, String person, List<String> keys) {
        static Own in(Path folder) throws Exception {
            featured(folder, "version: 1\nsite: {slug: own, name: Own}\nenvironments: [{name: prod, features: "
                    + "[{key: TEXT, type: STRING, defaultValue: before}]}]\n", "import", "-");
            featured(folder, "a quiet harbour", "user", "add", "ana", "--email", "ana@own.example", "--role", "admin",
                    "--password-stdin");
            String[] printed = featured(folder, "", "user", "pat", "ana", "--description", "java").split("\\s+");
            List<String> keys = new ArrayList<>();
            for (String kind : List.of("server", "client")) {
                String made = featured(folder, "", "token", "add", "--site", "own", "--env", "prod", "--kind", kind,
                        "--description", "java", "--rate-limit", "0", "--json");
                keys.add(JSON.readTree(made).get("featurehubKey").asText());
            }
            return new Own(folder, printed[printed.length - 1], keys);
        }

        List<EdgeFeatureHubConfig> connectAll(String url) throws Exception {
            List<EdgeFeatureHubConfig> configs = new ArrayList<>();
            for (String key : keys) configs.add(connect(url, key));
            return configs;
        }

        /** Gives the feature a value that every client then has. */
        void change(String url, String value, List<EdgeFeatureHubConfig> configs) throws Exception {
            String feature = url + "/api/v1/sites/own/environments/prod/features/TEXT";
            ask("PATCH", feature, person, Map.of("defaultValue", value));
            for (var config : configs) {
                until(value, () -> value.equals(config.getRepository().getFeatureState("TEXT").getString()));
            }
        }
    }

    @Test
    void streamsGoOnAfterTheServerClosedThem(@TempDir Path folder) throws Exception {
        Own own = Own.in(folder);
        Process server = serve(folder, "127.0.0.1:0", "2");
        try {
            String url = address(server);
            List<EdgeFeatureHubConfig> configs = own.connectAll(url);
            // Longer than a stream lives.
            long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(5);
            for (int at = 0; System.nanoTime() < end; at++) own.change(url, "v" + at, configs);
            for (var config : configs) config.close();
        } finally {
            server.destroy();
        }
    }

    @Test
    void streamsGoOnAfterARestart(@TempDir Path folder) throws Exception {
        Own own = Own.in(folder);
        Process server = serve(folder, "127.0.0.1:0", "0");
        try {
            String url = address(server);
            List<EdgeFeatureHubConfig> configs = own.connectAll(url);
            own.change(url, "first", configs);
            // Once in order, once as a power cut would.
            for (String how : List.of("ended", "killed")) {
                if (how.equals("ended")) server.destroy();
                else server.destroyForcibly();
                server.waitFor();
                for (var config : configs) {
                    assertEquals(Readyness.Ready, config.getReadyness(), "the last known values are kept");
                }
                server = serve(folder, url.substring("http://".length()), "0");
                assertEquals(url, address(server));
                own.change(url, how, configs);
            }
            for (var config : configs) config.close();
        } finally {
            server.destroy();
        }
    }
}
