//! Those who were answered a whole environment lately: who they are, and which values of their context are counted.
//! People ask again and again, and neither need be found out each time. Each thread remembers its own.

use std::cell::RefCell;

/// So many are remembered, two for each place; a power of two.
const REMEMBERED: usize = 4096;
/// Those with at most so many values.
const MAX_VALUES: usize = 11;

/// One who asked.
#[derive(Clone, Copy, Default)]
pub struct Asker {
    /// Of everything that the rest follows from: 64 bits, keyed anew with each start, so that one is taken for another
    /// not once in the life of a server.
    hash: u64,
    person: u64,
    values: [u32; MAX_VALUES],
    count: u8,
    has_key: bool,
}

thread_local! {
    static RECENT: RefCell<Vec<[Asker; 2]>> = const { RefCell::new(Vec::new()) };
}

fn place(hash: u64) -> usize {
    hash as usize % (REMEMBERED / 2)
}

impl Asker {
    /// Who asked with this hash, if that was lately and on this thread.
    pub fn recall(hash: u64) -> Option<Self> {
        RECENT.with_borrow(|recent| recent.get(place(hash))?.iter().find(|asker| asker.hash == hash).copied())
    }

    /// Remembers somebody: the hashed targeting key, if there is one, and the numbers of the values.
    pub fn remember(hash: u64, person: Option<u64>, values: &[u32]) {
        let mut asker = Self {
            hash,
            person: person.unwrap_or_default(),
            has_key: person.is_some(),
            count: values.len() as u8,
            ..Self::default()
        };
        let Some(room) = asker.values.get_mut(..values.len()) else { return };
        room.copy_from_slice(values);
        RECENT.with_borrow_mut(|recent| {
            recent.resize(REMEMBERED / 2, Default::default());
            let [newer, older] = &mut recent[place(hash)];
            *older = std::mem::replace(newer, asker);
        });
    }

    /// The hashed targeting key.
    pub fn person(&self) -> Option<u64> {
        self.has_key.then_some(self.person)
    }

    /// The numbers of the values of the context that are counted.
    pub fn values(&self) -> &[u32] {
        self.values.get(..usize::from(self.count)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asker_is_known_again_by_the_whole_hash_until_two_others_take_the_place() {
        const NEXT: u64 = REMEMBERED as u64 / 2;
        let known = |hash| Asker::recall(hash).map(|asker| (asker.person(), asker.values().to_vec()));
        assert_eq!(known(5), None);
        Asker::remember(5, Some(7), &[1, 2]);
        Asker::remember(6, None, &[]);
        assert_eq!((known(5), known(6)), (Some((Some(7), vec![1, 2])), Some((None, vec![]))));
        assert_eq!(known(5 + NEXT), None, "the same place is not the same asker");
        Asker::remember(5 + NEXT, Some(8), &[3; MAX_VALUES + 1]);
        assert_eq!(known(5 + NEXT), None, "too much to remember");
        Asker::remember(5 + NEXT, Some(8), &[3]);
        assert_eq!((known(5), known(5 + NEXT)), (Some((Some(7), vec![1, 2])), Some((Some(8), vec![3]))));
        Asker::remember(5 + 2 * NEXT, Some(9), &[4]);
        assert_eq!((known(5), known(5 + NEXT).is_some()), (None, true));
    }
}
