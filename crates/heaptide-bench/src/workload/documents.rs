//! JSON documents, parsed into a tree and dropped. An operation is one document.

use std::hint::black_box;

use serde_json::{Value, json};

use super::Allocating;

/// A document of some tens of kilobytes, as services exchange them.
const N_ORDERS: usize = 100;

impl Allocating {
    pub(crate) fn json() -> Self {
        let text = document();
        Self::new(5, 1, move |ops| {
            for _ in 0..ops {
                let tree: Option<Value> = serde_json::from_str(&text).ok();
                drop(black_box(tree));
            }
        })
    }
}

/// Orders of a shop: objects in lists in objects, a few thousand strings.
fn document() -> String {
    let item = |n: usize| json!({"sku": format!("sku-{n:05}"), "quantity": n % 7, "price": 1.25});
    let order = |n: usize| {
        json!({
            "id": n,
            "customer": {"name": format!("Customer {n}"), "mail": format!("c{n}@shop.example")},
            "items": (0..n % 5 + 1).map(|i| item(31 * n + i)).collect::<Vec<_>>(),
            "tags": ["new", "express", "gift"],
            "paid": n.is_multiple_of(3),
        })
    };
    json!({"orders": (0..N_ORDERS).map(order).collect::<Vec<_>>()}).to_string()
}
