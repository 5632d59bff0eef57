//! A collector of traces: as little HTTP as an exporter needs.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

/// What came in one request.
pub(crate) struct Received {
    /// The request line and the headers, as they came.
    pub(crate) head: Vec<String>,
    pub(crate) traces: ExportTraceServiceRequest,
}

pub(crate) struct Collector {
    pub(crate) url: String,
    received: Receiver<Received>,
}

impl Collector {
    /// Answers the first requests with these, and all others with 200.
    pub(crate) fn start(answers: &'static [u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (told, received) = channel();
        std::thread::spawn(move || {
            let mut answers = answers.iter().copied();
            for stream in listener.incoming() {
                serve(stream.unwrap(), &mut answers, &told);
            }
        });
        Self { url, received }
    }

    /// Waits for the next request.
    pub(crate) fn next(&self) -> Received {
        self.received.recv_timeout(Duration::from_secs(20)).unwrap()
    }

    /// What came and was not looked at yet.
    pub(crate) fn rest(&self) -> Vec<Received> {
        self.received.try_iter().collect()
    }
}

/// One connection after the other: there is only one exporter.
fn serve(stream: TcpStream, answers: &mut impl Iterator<Item = u16>, told: &Sender<Received>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(request) = read(&mut reader) {
        let status = answers.next().unwrap_or(200);
        let answer = format!("HTTP/1.1 {status} So\r\ncontent-length: 0\r\n\r\n");
        if told.send(request).is_err() || (&stream).write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Received> {
    let lines = reader.by_ref().lines().map_while(Result::ok);
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let length = head.iter().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().unwrap())
    })?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let traces = ExportTraceServiceRequest::decode(body.as_slice()).unwrap();
    Some(Received { head, traces })
}
