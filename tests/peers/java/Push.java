import java.io.ByteArrayInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;

/** Pushes to a gateway as Java's own client does by default, and prints the status of each response. */
public class Push {
    private static final HttpClient CLIENT = HttpClient.newHttpClient();

    public static void main(String[] arguments) throws Exception {
        URI group = URI.create(arguments[0]);
        ask(group, "PUT", BodyPublishers.ofString("replaced 1\nsized 1\n"));
        ask(group, "PUT", BodyPublishers.ofString("replaced 2\nsized 2\n"));
        // In chunks, since the client cannot know how much it is.
        byte[] body = "replaced 3\nchunked 3\n".getBytes(StandardCharsets.UTF_8);
        ask(group, "POST", BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(body)));
        ask(group, "POST", BodyPublishers.ofString("large 4\n" + "# a comment\n".repeat(50_000)));
        ask(URI.create(group + "/instance/none"), "DELETE", BodyPublishers.noBody());
    }

    private static void ask(URI uri, String method, BodyPublisher body) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(uri).method(method, body).build();
        System.out.println(CLIENT.send(request, BodyHandlers.ofString()).statusCode());
    }
}
