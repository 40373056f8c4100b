import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.common.collect.ImmutableList;
import com.google.common.collect.ImmutableMap;
import dev.openfeature.contrib.providers.ofrep.OfrepProvider;
import dev.openfeature.contrib.providers.ofrep.OfrepProviderOptions;
import dev.openfeature.sdk.Client;
import dev.openfeature.sdk.ErrorCode;
import dev.openfeature.sdk.EvaluationContext;
import dev.openfeature.sdk.FlagEvaluationDetails;
import dev.openfeature.sdk.ImmutableContext;
import dev.openfeature.sdk.ImmutableStructure;
import dev.openfeature.sdk.OpenFeatureAPI;
import dev.openfeature.sdk.Value;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Every type, every reason, errors, live change. */
class OpenFeatureTest {
    private static final String URL = required("FEATURED_URL");
    private static final String TOKEN = required("FEATURED_OPENFEATURE_TOKEN");
    private static final EvaluationContext NOBODY = new ImmutableContext();
    private static Client client;

    private static String required(String name) {
        String value = System.getenv(name);
        if (value == null || value.isEmpty()) {
            throw new IllegalStateException(name + " is not set: start the suites with tests/clients/run.sh");
        }
        return value;
    }

    /** A client of a provider of its own. */
    private static Client connect(String domain, String header, String value) {
        OfrepProviderOptions options = OfrepProviderOptions.builder()
                .baseUrl(URL)
                .headers(ImmutableMap.of(header, ImmutableList.of(value)))
                .build();
        OpenFeatureAPI.getInstance().setProviderAndWait(domain, OfrepProvider.constructProvider(options));
        return OpenFeatureAPI.getInstance().getClient(domain);
    }

    @BeforeAll
    static void connect() {
        client = connect("bearer", "Authorization", "Bearer " + TOKEN);
    }

    @AfterAll
    static void close() {
        OpenFeatureAPI.getInstance().shutdown();
    }

    private static EvaluationContext user() {
        return new ImmutableContext("u1");
    }

    private static EvaluationContext user(String name, Value value) {
        return new ImmutableContext("u1", Map.of(name, value));
    }

    /** Calls the admin API on a feature of openfeature/prod. */
    private static JsonNode admin(String method, String key, String body) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(
                        URI.create(URL + "/api/v1/sites/openfeature/environments/prod/features/" + key))
                .header("Authorization", "Bearer " + required("FEATURED_PAT"))
                .header("Content-Type", "application/json")
                .method(method, HttpRequest.BodyPublishers.ofString(body))
                .build();
        HttpResponse<String> reply = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
        assertEquals(200, reply.statusCode(), reply.body());
        return new ObjectMapper().readTree(reply.body());
    }

    private static String rule(String key, int at) throws Exception {
        return "rule-" + admin("GET", key, "").get("rules").get(at).get("id").asText();
    }

    private static void told(FlagEvaluationDetails<?> details, Object value, String reason, String variant) {
        assertEquals(null, details.getErrorCode(), details.getErrorMessage());
        assertEquals(Arrays.asList(value, reason, variant),
                Arrays.asList(details.getValue(), details.getReason(), details.getVariant()));
    }

    @Test
    void everyType() {
        assertEquals(true, client.getBooleanValue("bool-on", false));
        assertEquals("grey", client.getStringValue("text", "", user()));
        assertEquals(5, client.getIntegerValue("int", 0, user()));
        assertEquals(2.5, client.getDoubleValue("float", 0.0, user()));
        Value object = client.getObjectValue("object", new Value(), user());
        assertEquals("dark", object.asStructure().getValue("theme").asString());
        assertEquals(2, object.asStructure().getValue("sizes").asList().get(1).asInteger());
        assertTrue(object.asStructure().getValue("deep").asStructure().getValue("on").asBoolean());
        List<Value> list = client.getObjectValue("list", new Value(), user()).asList();
        assertEquals(List.of(1, "two", true),
                List.of(list.get(0).asInteger(), list.get(1).asString(), list.get(2).asBoolean()));
    }

    @Test
    void everyReasonWithItsVariant() throws Exception {
        told(client.getBooleanDetails("bool-on", false, NOBODY), true, "STATIC", "default");
        told(client.getBooleanDetails("bool-off", true, user()), false, "DISABLED", "disabled");
        told(client.getStringDetails("text", "code", user("plan", new Value("premium"))),
                "gold", "TARGETING_MATCH", rule("text", 0));
        told(client.getStringDetails("text", "code", user("plan", new Value("free"))), "grey", "DEFAULT", "default");
        FlagEvaluationDetails<String> split = client.getStringDetails("split", "code", user());
        told(split, "red".equals(split.getVariant()) ? "#f00" : "#00f", "SPLIT", split.getVariant());
        told(client.getBooleanDetails("share", false, user()), true, "SPLIT", rule("share", 0));
        told(client.getBooleanDetails("share", true, NOBODY), false, "DEFAULT", "default");
    }

    @Test
    void oneAfterAnotherWithoutALostConnection() {
        for (int at = 0; at < 300; at++) {
            told(client.getBooleanDetails("bool-on", false, NOBODY), true, "STATIC", "default");
        }
    }

    @Test
    void aNestedAttribute() throws Exception {
        Value cart = new Value(new ImmutableStructure(Map.of("total", new Value(12.5))));
        told(client.getStringDetails("text", "code", user("cart", cart)), "teal", "TARGETING_MATCH", rule("text", 1));
    }

    @Test
    void aStoredContextAndTheOverrideDecideAndSaySo() {
        EvaluationContext vip = new ImmutableContext("vip", Map.of("plan", new Value("premium")));
        FlagEvaluationDetails<String> stored = client.getStringDetails("text", "code", vip);
        told(stored, "platinum", "TARGETING_MATCH", "context");
        assertEquals("CONTEXT", stored.getFlagMetadata().getString("source"));
        FlagEvaluationDetails<String> forced = client.getStringDetails("forced", "code", user());
        told(forced, "taken", "STATIC", "override");
        assertEquals("OVERRIDE", forced.getFlagMetadata().getString("source"));
    }

    @Test
    void aFlagWithoutAValueLeavesTheOneInTheCode() {
        assertEquals("code", client.getStringValue("text-off", "code", user()));
    }

    @Test
    void errorsEachWithItsCode() {
        assertEquals(ErrorCode.FLAG_NOT_FOUND, code(client, "gone"));
        assertEquals(ErrorCode.FLAG_NOT_FOUND, code(client, "team/gone"));
        assertEquals(ErrorCode.TYPE_MISMATCH, code(client, "int"));
        Client stranger = connect("stranger", "X-API-Key", "alm_env_openfeature_prod_unknown");
        assertEquals(ErrorCode.GENERAL, code(stranger, "bool-on"));
        Value deep = new Value("deep");
        for (int level = 0; level < 200; level++) {
            deep = new Value(new ImmutableStructure(Map.of("deep", deep)));
        }
        assertEquals(ErrorCode.INVALID_CONTEXT, code(client, "bool-on", user("deep", deep)));
        Client slow = connect("slow", "Authorization", "Bearer " + required("FEATURED_OPENFEATURE_SLOW_TOKEN"));
        slow.getBooleanValue("bool-on", true, user());
        assertEquals(ErrorCode.GENERAL, code(slow, "bool-on"), "over its limit");
    }

    private static ErrorCode code(Client client, String key) {
        return code(client, key, user());
    }

    private static ErrorCode code(Client client, String key, EvaluationContext who) {
        FlagEvaluationDetails<Boolean> details = client.getBooleanDetails(key, true, who);
        assertEquals(List.of(true, "ERROR"), List.of(details.getValue(), details.getReason()));
        return details.getErrorCode();
    }

    @Test
    void aKeyWithASlashAndTheTokenInTheOtherHeader() {
        assertEquals(true, connect("api-key", "X-API-Key", TOKEN).getBooleanValue("team/new-nav", false, user()));
    }

    @Test
    void aChangeIsSeenByTheNextEvaluation() throws Exception {
        assertEquals("before", client.getStringValue("live", "", user()));
        try {
            admin("PATCH", "live", "{\"defaultValue\":\"after\"}");
            assertEquals("after", client.getStringValue("live", "", user()));
        } finally {
            admin("PATCH", "live", "{\"defaultValue\":\"before\"}");
        }
    }
}
