//! A server that is nothing but a WebSocket: it notes what a client says, and says what the test wants.

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async};

use super::PATIENCE;

pub struct BareServer {
    listener: TcpListener,
}

pub struct BareSocket(WebSocketStream<TcpStream>);

impl BareServer {
    pub async fn start() -> Self {
        Self {
            listener: TcpListener::bind("127.0.0.1:0").await.expect("a free port"),
        }
    }

    pub fn url(&self) -> String {
        format!("ws://{}", self.listener.local_addr().expect("bound"))
    }

    pub async fn accept(&self) -> BareSocket {
        let accepting = async {
            let (stream, _) = self.listener.accept().await.expect("a client");
            accept_async(stream).await.expect("the upgrade")
        };
        BareSocket(
            tokio::time::timeout(PATIENCE, accepting)
                .await
                .expect("a client comes"),
        )
    }
}

impl BareSocket {
    pub async fn say(&mut self, message: Message) {
        self.0.send(message).await.expect("the client stays");
    }

    /// The next frame of any kind; `None` once the client is gone.
    pub async fn hear(&mut self) -> Option<Message> {
        let next = tokio::time::timeout(PATIENCE, self.0.next());
        next.await
            .expect("the client says something")
            .and_then(Result::ok)
    }

    /// The next text message of a type, with its data.
    pub async fn hear_type(&mut self, wanted: &str) -> String {
        loop {
            let frame = self.hear().await.expect("the client stays");
            let Message::Text(text) = frame else { continue };
            let value: serde_json::Value = serde_json::from_str(&text).expect("clients send JSON");
            assert!(value["data"].is_string(), "data must be a string: {text}");
            if value["type"] == wanted {
                return value["data"].as_str().unwrap_or_default().to_owned();
            }
        }
    }
}
