//! Bursts against a server of the test's own, and reports by hand.

use std::time::Duration;

use super::*;
use crate::paint::Paint;

fn burst(url: &str) -> Burst {
    Burst {
        url: url.parse().unwrap(),
        method: reqwest::Method::GET,
        headers: reqwest::header::HeaderMap::new(),
        body: None,
        requests: 200,
        concurrency: 10,
        duration: Duration::from_secs(30),
        timeout: Duration::from_secs(10),
    }
}

fn answers(counts: &[(usize, u64, Outcome)]) -> Vec<Answer> {
    counts
        .iter()
        .flat_map(|(count, millis, outcome)| {
            let answer = Answer { took: Duration::from_millis(*millis), outcome: outcome.clone() };
            std::iter::repeat_n(answer, *count)
        })
        .collect()
}

fn breached(limits: &Limits, answers: &[Answer]) -> Vec<&'static str> {
    let expected = "2xx".parse().unwrap();
    let report = report(&burst("http://shop/"), &expected, limits, answers, Duration::from_secs(2));
    let breached: Vec<_> =
        report.checks.iter().filter(|check| check.breached).map(|check| check.name).collect();
    assert_eq!(report.passed, breached.is_empty());
    breached
}

#[test]
fn a_limit_is_broken_by_more_than_it_and_by_nothing_measured() {
    let ok = || Outcome::Status(200);
    let one_percent = Limits { error_rate: 0.01, ..Limits::default() };
    let fast = |p50, p95, p99| Limits {
        error_rate: 1.0,
        p50: Some(Duration::from_millis(p50)),
        p95: Some(Duration::from_millis(p95)),
        p99: Some(Duration::from_millis(p99)),
    };
    let slow_tail = answers(&[(189, 10, ok()), (9, 40, ok()), (2, 400, ok())]);
    for (case, limits, answers, expected) in [
        ("at the limit", one_percent, answers(&[(198, 5, ok()), (2, 5, Outcome::Status(503))]), vec![]),
        (
            "beyond it",
            one_percent,
            answers(&[(197, 5, ok()), (2, 5, Outcome::Status(503)), (1, 5, Outcome::Late)]),
            vec!["error-rate"],
        ),
        ("a redirect is no 2xx", one_percent, answers(&[(100, 5, Outcome::Status(302))]), vec!["error-rate"]),
        ("at the limits, and the slowest two of 200 are no p99", fast(10, 40, 40), slow_tail.clone(), vec![]),
        ("quantiles beyond", fast(9, 39, 39), slow_tail, vec!["p50", "p95", "p99"]),
        (
            "who never answers has no latency",
            fast(1000, 1000, 1000),
            answers(&[(3, 1, Outcome::Broken("connection refused".to_owned()))]),
            vec!["p50", "p95", "p99"],
        ),
        (
            "who is late counts as late",
            fast(100, 100, 100),
            answers(&[(3, 900, Outcome::Late)]),
            vec!["p50", "p95", "p99"],
        ),
        ("nothing was sent", one_percent, vec![], vec!["error-rate"]),
    ] {
        assert_eq!(breached(&limits, &answers), expected, "{case}");
    }
}

#[test]
fn a_report_reads_limit_by_limit() {
    let limits = Limits {
        error_rate: 0.01,
        p99: Some(Duration::from_millis(250)),
        p95: Some(Duration::from_secs(1)),
        ..Limits::default()
    };
    let answers =
        answers(&[(47, 12, Outcome::Status(200)), (2, 4, Outcome::Status(503)), (1, 2000, Outcome::Late)]);
    let burst = burst("http://ann:secret@shop:8080/cart");
    let report = report(&burst, &"2xx".parse().unwrap(), &limits, &answers, Duration::from_secs(2));
    let expected = "\
GET http://ann@shop:8080/cart: 50 requests in 2.0 s (25 a second, 10 at a time)
  error-rate  6 %      limit 1 %      BREACH
  p50         12 ms
  p95         12 ms    limit 1000 ms  ok
  p99         2000 ms  limit 250 ms   BREACH
  1 of 50 failed: no answer within 10.0 s
  2 of 50 failed: status 503, not 2xx
note: the time was over after 50 of 200 requests; --duration gives more, --concurrency sends faster
note: p99 of 50 requests is the slowest one; --requests 100 or more says more
";
    assert_eq!(text(&report, Paint::PLAIN), expected);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(
        json["checks"][3],
        serde_json::json!({"name": "p99", "value": 2.0, "limit": 0.25, "breached": true})
    );
    assert_eq!((&json["passed"], &json["requests"]), (&false.into(), &50.into()));
}

#[test]
fn shares_and_statuses_are_read_as_people_write_them() {
    for (text, expected) in
        [("1%", Some(0.01)), ("0.5 %", Some(0.005)), ("0.02", Some(0.02)), ("0", Some(0.0))]
    {
        assert_eq!(share(text).ok(), expected, "{text}");
    }
    for text in ["2", "-1%", "101%", "few", "NaN"] {
        assert!(share(text).is_err(), "{text}");
    }
    let expected: Expected = "200-204, 3xx,404".parse().unwrap();
    for (status, good) in
        [(199, false), (200, true), (204, true), (205, false), (399, true), (400, false), (404, true)]
    {
        assert_eq!(expected.has(status), good, "{status}");
    }
    for text in ["", "2x", "7xx", "204-200", "99", "200-", "600"] {
        assert!(text.parse::<Expected>().is_err(), "{text}");
    }
}

/// A server that answers every request with the same bytes and then closes, and counts the requests.
async fn server(answer: &'static str) -> (String, std::sync::Arc<std::sync::atomic::AtomicUsize>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let count = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = count.clone();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let _ = socket.read(&mut request).await;
                let _ = socket.write_all(answer.as_bytes()).await;
            });
        }
    });
    (format!("http://{address}/"), count)
}

#[tokio::test]
async fn a_burst_sends_exactly_so_many_requests_and_reports_every_end() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = crate::http::client(true).unwrap();
    let (url, count) = server("HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").await;
    let (answers, _) = send(&client, &Burst { requests: 23, concurrency: 4, ..burst(&url) }).await;
    assert_eq!((answers.len(), count.load(std::sync::atomic::Ordering::SeqCst)), (23, 23));
    assert!(answers.iter().all(|answer| answer.outcome == Outcome::Status(503)), "{answers:?}");

    let (answers, _) =
        send(&client, &Burst { requests: 2, concurrency: 9, ..burst("http://127.0.0.1:1/") }).await;
    assert_eq!(answers.len(), 2);
    assert!(matches!(&answers[0].outcome, Outcome::Broken(why) if why.contains("refused")), "{answers:?}");

    let (answers, _) = send(&client, &Burst { duration: Duration::ZERO, ..burst(&url) }).await;
    assert_eq!(answers, [], "no request begins when the time is over");
}

/// A server that takes so long for an answer, and counts the most requests that waited at a time.
async fn slow_server(pause: Duration) -> (String, std::sync::Arc<std::sync::atomic::AtomicUsize>) {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (waiting, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = most.clone();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let (waiting, seen) = (waiting.clone(), seen.clone());
            tokio::spawn(async move {
                let _ = socket.read(&mut [0; 4096]).await;
                seen.fetch_max(waiting.fetch_add(1, SeqCst) + 1, SeqCst);
                tokio::time::sleep(pause).await;
                waiting.fetch_sub(1, SeqCst);
                let answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
                let _ = socket.write_all(answer.as_bytes()).await;
            });
        }
    });
    (format!("http://{address}/"), most)
}

#[tokio::test]
async fn a_burst_keeps_to_its_concurrency() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = crate::http::client(true).unwrap();
    let (url, most) = slow_server(Duration::from_millis(20)).await;
    let (answers, _) = send(&client, &Burst { requests: 20, concurrency: 4, ..burst(&url) }).await;
    assert_eq!(answers.len(), 20);
    assert!(answers.iter().all(|answer| answer.outcome == Outcome::Status(200)), "{answers:?}");
    let most = most.load(std::sync::atomic::Ordering::SeqCst);
    assert!((1..=4).contains(&most), "{most} at a time");
}

#[tokio::test]
async fn who_is_late_is_given_up_and_no_request_begins_when_the_time_is_over() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = crate::http::client(true).unwrap();
    let (url, _) = slow_server(Duration::from_secs(3600)).await;
    let short = Burst {
        requests: 1000,
        concurrency: 3,
        duration: Duration::from_millis(50),
        timeout: Duration::from_millis(100),
        ..burst(&url)
    };
    let (answers, _) = send(&client, &short).await;
    assert!((1..=3).contains(&answers.len()), "{answers:?}");
    assert!(answers.iter().all(|answer| answer.outcome == Outcome::Late), "{answers:?}");
}
