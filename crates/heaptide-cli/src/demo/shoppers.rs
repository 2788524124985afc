//! The load: shoppers who log in, browse, buy, and every other time forget to log out.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::http::Client;

/// How many shop at the same time.
const SHOPPERS: u64 = 8;
const PRODUCTS: [&str; 4] = ["tea", "kettle", "cup", "honey"];
/// Short, so that a run of seconds has thousands of requests.
const BETWEEN_REQUESTS: Duration = Duration::from_millis(4);

/// How many requests have been answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests(Arc<AtomicU64>);

impl Requests {
    pub(crate) fn answered(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Shoppers at work; they go home when this is dropped.
#[derive(Debug)]
pub(crate) struct Shoppers {
    tasks: JoinSet<io::Result<()>>,
    requests: Requests,
}

impl Shoppers {
    /// Sends the shoppers to the shop.
    pub(crate) fn visit(shop: SocketAddr) -> Self {
        let requests = Requests::default();
        let mut tasks = JoinSet::new();
        for shopper in 0..SHOPPERS {
            tasks.spawn(shop_for_ever(shop, shopper, requests.clone()));
        }
        Self { tasks, requests }
    }

    /// Requests answered so far.
    pub(crate) fn requests(&self) -> Requests {
        self.requests.clone()
    }

    /// Waits until a shopper gives up, which happens only when the shop fails, and says why.
    pub(crate) async fn failed(&mut self) -> io::Error {
        match self.tasks.join_next().await {
            Some(Ok(Err(cause))) => cause,
            Some(Ok(Ok(()))) | None => io::ErrorKind::UnexpectedEof.into(),
            Some(Err(panic)) => io::Error::other(panic),
        }
    }
}

async fn shop_for_ever(shop: SocketAddr, shopper: u64, requests: Requests) -> io::Result<()> {
    let mut client = Client::connect(shop).await?;
    for visit in 0.. {
        let session =
            request(&mut client, "POST", &format!("/login?name=shopper{shopper}")).await?;
        for product in PRODUCTS {
            request(&mut client, "GET", &format!("/browse?session={session}")).await?;
            request(&mut client, "POST", &format!("/cart?session={session}&product={product}"))
                .await?;
        }
        request(&mut client, "POST", &format!("/checkout?session={session}")).await?;
        requests.0.fetch_add(2 + 2 * PRODUCTS.len() as u64, Ordering::Relaxed);
        if visit % 2 == 0 {
            request(&mut client, "POST", &format!("/logout?session={session}")).await?;
            requests.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(())
}

async fn request(client: &mut Client, method: &str, target: &str) -> io::Result<String> {
    tokio::time::sleep(BETWEEN_REQUESTS).await;
    let answer = client.ask(method, target).await?;
    match answer.status {
        200 => Ok(answer.body),
        status => Err(io::Error::other(format!("{method} {target}: status {status}"))),
    }
}
