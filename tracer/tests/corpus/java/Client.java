// Clients that leak responses, and clients that do not: `java Client.java KIND URL`.

import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

public class Client {
    /** One request, the way that the kind makes them. */
    interface Step {
        void run() throws Exception;
    }

    /** What must not be collected, for its end would close a connection. */
    static final List<Object> kept = new ArrayList<>();

    static final HttpClient shared = client();

    public static void main(String[] arguments) throws Exception {
        URI url = URI.create(arguments[1]);
        HttpRequest request = HttpRequest.newBuilder(url).build();

        Map<String, Step> kinds = Map.of(
                // Checks the status and never reads the body.
                "connection-unread", () -> {
                    HttpURLConnection connection = (HttpURLConnection) url.toURL().openConnection();
                    connection.getResponseCode();
                    kept.add(connection);
                },
                "connection-read", () -> {
                    try (InputStream body = url.toURL().openStream()) {
                        body.readAllBytes();
                    }
                },
                "client-unread", () -> kept.add(shared.send(request, BodyHandlers.ofInputStream())),
                "client-read", () -> shared.send(request, BodyHandlers.ofByteArray()),
                // Each client has a pool of its own, and a thread that watches it.
                "client-per-request", () -> {
                    HttpClient own = client();
                    own.send(request, BodyHandlers.ofByteArray());
                    kept.add(own);
                });
        paced(kinds.get(arguments[0]));

        System.out.println("ready");
        while (System.in.read() >= 0) {
            // The runner closes the input to end the program.
        }
        System.exit(0);
    }

    static HttpClient client() {
        return HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    }

    /** Runs the step the requested number of times, at the requested pace. */
    static void paced(Step step) throws Exception {
        int count = Integer.parseInt(System.getenv().getOrDefault("CORPUS_COUNT", "25"));
        long paceMs = Long.parseLong(System.getenv().getOrDefault("CORPUS_PACE_MS", "1000"));
        for (int number = 0; number < count; number++) {
            step.run();
            Thread.sleep(paceMs);
        }
    }
}
