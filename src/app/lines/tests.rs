//! A reader that does not read, and a second that is full.

use super::*;

/// A reader that does not read until it is told to.
#[derive(Clone, Default)]
struct Pipe {
    is_read: Arc<(Mutex<bool>, std::sync::Condvar)>,
    text: Arc<Mutex<Vec<u8>>>,
}

impl Pipe {
    fn read(&self) {
        *self.is_read.0.lock().unwrap() = true;
        self.is_read.1.notify_all();
    }

    fn text(&self) -> String {
        String::from_utf8(self.text.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let is_read = self.is_read.0.lock().unwrap();
        drop(
            self.is_read
                .1
                .wait_while(is_read, |is_read| !*is_read)
                .unwrap(),
        );
        self.text.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_does_not_read_holds_nobody_and_is_told_what_is_missing() {
    let pipe = Pipe::default();
    let lines = Lines::to(pipe.clone()).unwrap();
    let began = Instant::now();
    for number in 0..QUEUE + 100 {
        lines.put(format!("line {number}\n").as_bytes());
    }
    lines.flush(Duration::from_millis(50));
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(pipe.text(), "");
    pipe.read();
    lines.flush(Duration::from_secs(20));
    lines.put(b"the next\n");
    lines.flush(Duration::from_secs(20));
    let text = pipe.text();
    // The writing thread takes its first line when it runs, which makes room for one that comes later.
    let told: usize = text
        .lines()
        .filter_map(|line| {
            line.strip_suffix(
                " lines of this log were left out: too many at once, or nobody read them",
            )
        })
        .map(|count| count.parse::<usize>().unwrap())
        .sum();
    let numbers: Vec<usize> = text
        .lines()
        .filter_map(|line| line.strip_prefix("line ")?.parse().ok())
        .collect();
    assert!(numbers.is_sorted_by(|one, next| one < next), "in order");
    assert_eq!(numbers.first(), Some(&0));
    assert!(numbers.len() >= QUEUE && told >= 99, "{told}");
    assert_eq!(told + numbers.len(), QUEUE + 100);
    assert!(text.ends_with("the next\n"));
}

#[test]
fn a_second_has_so_many_lines() {
    let quota = Quota::of(3);
    let began = Instant::now();
    let takes = |ms| quota.takes(began + Duration::from_millis(ms));
    let seen: Vec<bool> = [0, 1, 2, 3, 999, 1000, 1001]
        .into_iter()
        .map(takes)
        .collect();
    assert_eq!(seen, [true, true, true, false, false, true, true]);
}
