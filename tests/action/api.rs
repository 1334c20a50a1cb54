//! A stand-in of the interfaces that take comments: GitHub's (issue comments, and who has a token) and GitLab's (notes of merge
//! requests), and of the files of a release.
//!
//! In: requests on a port of this machine. Out: what the services would answer, or what a test ordered. Every request is kept. Invariant:
//! while a request is answered, its sender still runs, so the arguments of all processes are looked at for the token then.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

/// The token that comments; nothing but the request's header may have it.
pub const TOKEN: &str = "ghs_5ECRETsecret5ECRETsecret5ECRETsecret";
/// Who has it.
pub const BOT: &str = "github-actions[bot]";

#[derive(Clone, Debug)]
pub struct Comment {
    pub id: u64,
    pub login: String,
    pub body: String,
}

/// An answer that a test orders, for requests that start like this.
struct Ordered {
    start: String,
    status: u16,
    body: &'static str,
    left: usize,
    /// The request has its effect all the same.
    done: bool,
}

#[derive(Default)]
pub struct State {
    pub comments: Vec<Comment>,
    /// Method and path with the query.
    pub requests: Vec<String>,
    pub leaks: Vec<String>,
    /// Files to download, by the end of their path.
    pub files: BTreeMap<String, Vec<u8>>,
    ordered: Vec<Ordered>,
    last: u64,
}

pub struct Api {
    pub url: String,
    state: Arc<Mutex<State>>,
}

impl Api {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let state: Arc<Mutex<State>> = Arc::default();
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A sender that went away is no concern.
                let _ = answer(stream, &shared);
            }
        });
        let url = format!("http://{address}");
        Self { url, state }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic in the server")
    }

    pub fn comment(&self, login: &str, body: &str) -> u64 {
        let mut state = self.state();
        state.add(login, body)
    }

    /// The next requests that start like this are answered with the status.
    pub fn order(&self, start: &str, status: u16, times: usize) {
        self.order_with(start, status, times, "{\"message\":\"as ordered\"}", false);
    }

    pub fn order_with(
        &self,
        start: &str,
        status: u16,
        times: usize,
        body: &'static str,
        done: bool,
    ) {
        self.state().ordered.push(Ordered {
            start: start.to_owned(),
            status,
            body,
            left: times,
            done,
        });
    }

    /// Requests that start like this.
    pub fn asked(&self, start: &str) -> usize {
        let state = self.state();
        state
            .requests
            .iter()
            .filter(|r| r.starts_with(start))
            .count()
    }

    pub fn by(&self, login: &str) -> Vec<Comment> {
        let state = self.state();
        let own = state.comments.iter().filter(|c| c.login == login);
        own.cloned().collect()
    }
}

impl State {
    fn add(&mut self, login: &str, body: &str) -> u64 {
        self.last += 1;
        self.comments.push(Comment {
            id: self.last,
            login: login.to_owned(),
            body: body.to_owned(),
        });
        self.last
    }

    fn row(&self, id: u64) -> Value {
        let c = self.comments.iter().find(|c| c.id == id);
        let c = c.expect("a comment");
        json!({"id": c.id, "body": c.body, "system": false, "user": {"login": c.login}, "author": {"id": number(&c.login)},
            "html_url": format!("https://example.org/pull/7#issuecomment-{}", c.id)})
    }

    fn page(&self, query: &str) -> Vec<Value> {
        let value = |name: &str| -> usize {
            let pair = query.split('&').find_map(|p| p.strip_prefix(name));
            pair.map_or(1, |v| v.parse().expect("a number"))
        };
        let (size, page) = (value("per_page="), value("page="));
        let shown = self.comments.iter().skip(size * (page - 1)).take(size);
        shown.map(|c| self.row(c.id)).collect()
    }

    fn route(&mut self, method: &str, target: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let said: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
        let text = said["body"].as_str().unwrap_or_default().to_owned();
        let list = path == "/repos/some/project/issues/7/comments"
            || path == "/api/v4/projects/12/merge_requests/7/notes";
        let one = path
            .strip_prefix("/repos/some/project/issues/comments/")
            .or_else(|| path.strip_prefix("/api/v4/projects/12/merge_requests/7/notes/"));
        match (method, one) {
            ("POST", _) if path == "/graphql" => {
                fine(200, &json!({"data": {"viewer": {"login": BOT}}}))
            }
            ("GET", _) if path == "/api/v4/user" => fine(200, &json!({"id": number(BOT)})),
            ("GET", _) if list => fine(200, &Value::from(self.page(query))),
            ("POST", _) if list && text.chars().count() > 65_536 => fine(422, &json!({})),
            ("POST", _) if list => {
                let id = self.add(BOT, &text);
                fine(201, &self.row(id))
            }
            ("PATCH" | "PUT", Some(id)) => {
                let id: u64 = id.parse().expect("an id");
                match self.comments.iter_mut().find(|c| c.id == id) {
                    Some(c) => {
                        c.body = text;
                        fine(200, &self.row(id))
                    }
                    None => fine(404, &json!({})),
                }
            }
            ("GET", _) => match self.files.iter().find(|(end, _)| path.ends_with(*end)) {
                Some((_, bytes)) => (200, bytes.clone()),
                None => fine(404, &json!({})),
            },
            _ => fine(404, &json!({})),
        }
    }
}

/// GitLab's authors have numbers.
fn number(login: &str) -> u64 {
    login.bytes().map(u64::from).sum()
}

fn fine(status: u16, body: &Value) -> (u16, Vec<u8>) {
    (status, body.to_string().into_bytes())
}

fn answer(stream: TcpStream, shared: &Mutex<State>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Ok(());
    };
    let (mut length, mut known) = (0, false);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(": ") else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap_or(0),
            "authorization" => known |= value == format!("Bearer {TOKEN}"),
            "private-token" => known |= value == TOKEN,
            "expect" => reader
                .get_mut()
                .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut state = shared.lock().expect("no panic in the server");
    let asked = format!("{method} {target}");
    state.requests.push(asked.clone());
    state.leaks.extend(arguments_with_the_token());
    let download = target.contains("/releases/download/");
    let (mut status, mut said) = match known || download {
        true => (0, Vec::new()),
        false => fine(401, &json!({})),
    };
    let order = state
        .ordered
        .iter_mut()
        .find(|o| o.left > 0 && asked.starts_with(&o.start));
    let order = order.map(|o| {
        o.left -= 1;
        (o.status, o.body, o.done)
    });
    if status == 0 && order.is_none_or(|o| o.2) {
        (status, said) = state.route(method, target, &body);
    }
    if let Some((ordered, body, _)) = order {
        (status, said) = (ordered, body.as_bytes().to_vec());
    }
    drop(state);
    let head = format!(
        "HTTP/1.1 {status} x\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        said.len()
    );
    let stream = reader.get_mut();
    stream.write_all(head.as_bytes())?;
    stream.write_all(&said)
}

/// Processes whose arguments hold the token.
fn arguments_with_the_token() -> Vec<String> {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let arguments = processes.flatten().filter_map(|p| {
        let bytes = std::fs::read(p.path().join("cmdline")).ok()?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        text.contains(TOKEN).then_some(text)
    });
    arguments.collect()
}
