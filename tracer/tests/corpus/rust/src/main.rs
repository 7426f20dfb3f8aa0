//! Clients that leak responses, and clients that do not: `corpus-rust KIND URL`.

use std::{env, error::Error, mem, time::Duration};

use reqwest::Client;
use tokio::{
    io::{self, AsyncReadExt},
    time::sleep,
};

type Outcome = Result<(), Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let [kind, url]: [String; 2] =
        env::args().skip(1).collect::<Vec<_>>().try_into().map_err(|_| "wants KIND URL")?;
    let shared = client()?;

    match kind.as_str() {
        // Reads the status and never the body; the response is never dropped.
        "unread" => paced(async || shared.get(&url).send().await.map(mem::forget)).await?,
        // Dropping a response closes its connection, or returns it to the pool if nothing is left
        // to read.
        "dropped" => paced(async || shared.get(&url).send().await.map(drop)).await?,
        "read" => paced(async || fetch(&shared, &url).await).await?,
        // Each client has a pool of its own.
        "client-per-request" => {
            paced(async || {
                let own = client()?;
                fetch(&own, &url).await?;
                mem::forget(own);
                Ok(())
            })
            .await?;
        }
        "stream" => {
            tokio::spawn(follow(shared, url, Duration::ZERO));
        }
        // Always behind the received data, but always reading.
        "read-slowly" => {
            tokio::spawn(follow(shared, url, pace()? / 10));
        }
        _ => return Err(format!("no kind is called {kind}").into()),
    }

    println!("ready");
    // The runner closes the input to end the program.
    io::stdin().read_to_end(&mut Vec::new()).await?;
    Ok(())
}

/// A client that never closes idle connections.
fn client() -> reqwest::Result<Client> {
    Client::builder().pool_idle_timeout(None).build()
}

async fn fetch(client: &Client, url: &str) -> reqwest::Result<()> {
    client.get(url).send().await?.bytes().await.map(drop)
}

/// Reads a response to EOF, with a pause after each chunk.
async fn follow(client: Client, url: String, pause: Duration) -> reqwest::Result<()> {
    let mut response = client.get(&url).send().await?;
    while response.chunk().await?.is_some() {
        sleep(pause).await;
    }
    Ok(())
}

/// Runs the step the requested number of times, at the requested pace.
async fn paced(step: impl AsyncFn() -> reqwest::Result<()>) -> Outcome {
    let pace = pace()?;
    for _ in 0..setting("CORPUS_COUNT", 25)? {
        step().await?;
        sleep(pace).await;
    }
    Ok(())
}

/// The time between requests.
fn pace() -> Result<Duration, Box<dyn Error>> {
    setting("CORPUS_PACE_MS", 1000).map(Duration::from_millis)
}

fn setting(name: &str, default: u64) -> Result<u64, Box<dyn Error>> {
    env::var(name).map_or(Ok(default), |value| value.parse()).map_err(Into::into)
}
