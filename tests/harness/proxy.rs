//! A TCP proxy whose connections a test can cut, and that notes the first line that passed.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinHandle};

pub struct Proxy {
    pub addr: SocketAddr,
    pub first_lines: Arc<Mutex<Vec<String>>>,
    connections: Arc<Mutex<Vec<AbortHandle>>>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr().expect("bound");
        let first_lines = Arc::<Mutex<Vec<String>>>::default();
        let connections = Arc::<Mutex<Vec<AbortHandle>>>::default();
        let (lines, open) = (Arc::clone(&first_lines), Arc::clone(&connections));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let carrying = tokio::spawn(carry(stream, port, Arc::clone(&lines)));
                open.lock()
                    .expect("not poisoned")
                    .push(carrying.abort_handle());
            }
        });
        Self {
            addr,
            first_lines,
            connections,
            task,
        }
    }

    pub fn url(&self) -> String {
        format!("ws://{}", self.addr)
    }

    /// Cuts every open connection; new ones are still taken.
    pub fn cut(&self) {
        for connection in self.connections.lock().expect("not poisoned").drain(..) {
            connection.abort();
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cut();
        self.task.abort();
    }
}

async fn carry(mut near: TcpStream, port: u16, lines: Arc<Mutex<Vec<String>>>) {
    let Ok(mut far) = TcpStream::connect(("127.0.0.1", port)).await else {
        return;
    };
    let mut first = vec![0; 4096];
    let Ok(length) = near.read(&mut first).await else {
        return;
    };
    let text = String::from_utf8_lossy(&first[..length]).into_owned();
    lines
        .lock()
        .expect("not poisoned")
        .push(text.lines().next().unwrap_or_default().to_owned());
    if far.write_all(&first[..length]).await.is_ok() {
        let _ = copy_bidirectional(&mut near, &mut far).await;
    }
}
