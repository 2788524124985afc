//! Calls into crates that keep what they are given.

#[derive(Default)]
pub struct Routes {
    depot: parcels::depot::Depot,
    store: session_store::Store<u64>,
    served: u64,
}

#[cfg_attr(feature = "inlined", inline(always))]
#[cfg_attr(not(feature = "inlined"), inline(never))]
pub fn ship(routes: &mut Routes, i: u64) {
    routes.depot.send(i); // leaks: ship
    routes.served += 1;
}

#[cfg_attr(feature = "inlined", inline(always))]
#[cfg_attr(not(feature = "inlined"), inline(never))]
pub fn login(routes: &mut Routes, i: u64) {
    routes.store.create(i); // leaks: login
    routes.served += 1;
}
