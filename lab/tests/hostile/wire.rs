//! A backend, and clients that write and read bytes.

use std::net::SocketAddr;

use lab::backend::{Backend, InternalAuth};
use lab::http_server::Limits;
use lab::precise_timer::PreciseTimer;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What the neighbour's application may use in all.
const POPULATION: &str = r#"{
    "services": [{ "id": "1", "provider_key": "k" }],
    "service_tokens": [{ "token": "t", "service_id": "1" }],
    "metrics": [{ "service_id": "1", "id": "1", "name": "hits" }],
    "applications": [{ "service_id": "1", "id": "a", "plan_id": "p" }]
}"#;

/// A running backend.
pub(crate) struct Server(SocketAddr);

impl Server {
    pub(crate) async fn start(limits: Limits) -> Self {
        let auth = InternalAuth::parse("u:p").expect("a user and a password");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let server = Self(listener.local_addr().expect("it is bound"));
        let backend = Backend::with_limits(auth, PreciseTimer::start(), limits);
        tokio::spawn(backend.serve(listener, std::future::pending()));
        let mut client = server.connect().await;
        let head = format!(
            "POST /control/population HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n",
            POPULATION.len()
        );
        client
            .send(&[head.as_bytes(), POPULATION.as_bytes()].concat())
            .await;
        let answer = client.answer().await.expect("it is loaded");
        assert_eq!(answer.status, 200, "{}", answer.body);
        server
    }

    pub(crate) async fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.0)
            .await
            .expect("the backend listens");
        Client(BufReader::new(stream))
    }

    /// A hundred clients that sent the same bytes and wait.
    pub(crate) async fn many_that_send(&self, bytes: &[u8]) -> Vec<Client> {
        let mut clients = Vec::new();
        for _ in 0..100 {
            let mut client = self.connect().await;
            client.send(bytes).await;
            clients.push(client);
        }
        clients
    }
}

/// A client with one connection.
pub(crate) struct Client(BufReader<TcpStream>);

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Client {
    /// Sends bytes; a server that does not want to hear them all is no error.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        let _ = self.0.get_mut().write_all(bytes).await;
    }

    /// The next answer, or nothing if the connection ends without one.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        let mut line = String::new();
        if !matches!(self.0.read_line(&mut line).await, Ok(1..)) {
            return None;
        }
        let status = line.split(' ').nth(1)?.parse().ok()?;
        let mut length = 0;
        loop {
            line.clear();
            self.0.read_line(&mut line).await.ok()?;
            match line.trim_end().split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.parse().ok()?;
                }
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.ok()?;
        let body = String::from_utf8_lossy(&body).into_owned();
        Some(Answer { status, body })
    }
}

/// A client that behaves, and keeps its connection.
pub(crate) struct Neighbour {
    client: Client,
}

impl Neighbour {
    pub(crate) async fn connect(server: &Server) -> Self {
        let client = server.connect().await;
        Self { client }
    }

    /// Makes calls one after the other, each of which has to be answered.
    pub(crate) async fn calls(&mut self, count: usize) {
        let request = "GET /transactions/authrep.xml?service_token=t&service_id=1&app_id=a&usage[hits]=1 \
            HTTP/1.1\r\nHost: h\r\n\r\n";
        for _ in 0..count {
            self.client.send(request.as_bytes()).await;
            let answer = self.client.answer().await.expect("a neighbour is answered");
            assert_eq!(answer.status, 200, "{}", answer.body);
        }
    }
}
