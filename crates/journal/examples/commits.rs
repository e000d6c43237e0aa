//! Measures durable commits: `cargo run --release -p journal --example commits -- DIR [PAYLOAD_BYTES]`.

use std::path::Path;
use std::time::{Duration, Instant};

use journal::{Journal, Options, Record};
use world::World;

fn main() {
    let mut args = std::env::args().skip(1);
    let dir = args.next().expect("usage: commits DIR [PAYLOAD_BYTES]");
    let payload_bytes: usize = args
        .next()
        .map_or(4096, |n| n.parse().expect("PAYLOAD_BYTES is a number"));
    for writers in [1, 10, 50] {
        let dir = Path::new(&dir).join(format!("writers-{writers}"));
        let start = Instant::now();
        let (journal, _) =
            Journal::open(&dir, &Options::default(), &World::real(), &mut |_| {}).expect("the log opens");
        let opened = start.elapsed();
        let end = Instant::now() + Duration::from_secs(3);
        let commits: u64 = std::thread::scope(|scope| {
            let write = || {
                let mut n = 0;
                while Instant::now() < end {
                    let record = Record {
                        kind: 1,
                        payload: vec![b'x'; payload_bytes],
                    };
                    let position = journal.append_and_wait(vec![record]).expect("the disk takes it");
                    journal.release_before(position.generation);
                    n += 1;
                }
                n
            };
            let threads: Vec<_> = (0..writers).map(|_| scope.spawn(write)).collect();
            threads
                .into_iter()
                .map(|t| t.join().expect("no writer panics"))
                .sum()
        });
        #[allow(clippy::print_stdout, reason = "the result of a measurement")]
        {
            println!(
                "{writers:3} writers: {:8} commits/s (opened in {opened:?})",
                commits / 3
            );
        }
    }
}
