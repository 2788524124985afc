//! An async function that another one awaits.

pub struct Jobs(Vec<Box<[u64; 7]>>);

impl Default for Jobs {
    fn default() -> Self {
        Self(Vec::with_capacity(1 << 16))
    }
}

pub async fn save(jobs: &mut Jobs, i: u64) {
    std::future::ready(()).await;
    write(jobs, i).await;
}

async fn write(jobs: &mut Jobs, i: u64) {
    crate::desk::turn().await;
    jobs.0.push(Box::new([i; 7])); // leaks: write
}
