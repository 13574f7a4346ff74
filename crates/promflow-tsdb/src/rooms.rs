//! A lock with two rooms: any number of threads may be in one of them, never in both.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    Commit,
    Select,
}

#[derive(Debug, Default)]
pub(crate) struct Rooms {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The room that is open, when somebody is in it or it is its turn.
    open: Option<Room>,
    inside: usize,
    /// How many may still enter although the other room is waited for: those who waited when the turn changed.
    admitted: usize,
    waiting: [usize; 2],
}

impl State {
    fn may_enter(&self, room: Room) -> bool {
        match self.open {
            None => true,
            Some(open) if open != room => false,
            // Whoever waits for the other room is not overtaken by newcomers.
            Some(_) => self.admitted > 0 || self.waiting[room.other() as usize] == 0,
        }
    }
}

impl Room {
    fn other(self) -> Self {
        match self {
            Self::Commit => Self::Select,
            Self::Select => Self::Commit,
        }
    }
}

impl Rooms {
    pub(crate) fn enter(&self, room: Room) -> RoomGuard<'_> {
        let mut state = self.lock();
        if !state.may_enter(room) {
            state.waiting[room as usize] += 1;
            while !state.may_enter(room) {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            state.waiting[room as usize] -= 1;
        }
        state.open = Some(room);
        state.inside += 1;
        state.admitted = state.admitted.saturating_sub(1);
        RoomGuard { rooms: self, room }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) struct RoomGuard<'r> {
    rooms: &'r Rooms,
    room: Room,
}

impl Drop for RoomGuard<'_> {
    fn drop(&mut self) {
        let mut state = self.rooms.lock();
        state.inside -= 1;
        if state.inside > 0 || (state.admitted > 0 && state.waiting[self.room as usize] > 0) {
            return;
        }
        let other = self.room.other();
        state.admitted = state.waiting[other as usize];
        state.open = (state.admitted > 0).then_some(other);
        drop(state);
        self.rooms.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn both_rooms_are_never_occupied_and_everybody_gets_in() {
        let rooms = Rooms::default();
        let inside = [AtomicUsize::new(0), AtomicUsize::new(0)];
        std::thread::scope(|scope| {
            for worker in 0..6 {
                let (rooms, inside) = (&rooms, &inside);
                scope.spawn(move || {
                    let room = if worker % 2 == 0 { Room::Commit } else { Room::Select };
                    for _ in 0..2_000 {
                        let guard = rooms.enter(room);
                        inside[room as usize].fetch_add(1, Ordering::SeqCst);
                        assert_eq!(inside[room.other() as usize].load(Ordering::SeqCst), 0);
                        inside[room as usize].fetch_sub(1, Ordering::SeqCst);
                        drop(guard);
                    }
                });
            }
        });
    }
}
