//! Parcels on their way: they are large, so they stay where they are, and the plan of what is to
//! happen holds their numbers.

use crate::member::Parcel;

/// A place of [`Parcels`].
pub(crate) type ParcelId = u32;

/// All that are on their way.
#[derive(Debug, Default)]
pub(crate) struct Parcels {
    parcels: Vec<Option<Parcel>>,
    /// The one that was freed last is taken first: it is still in the processor's memory.
    free: Vec<ParcelId>,
}

impl Parcels {
    #[inline]
    pub(crate) fn put(&mut self, parcel: Parcel) -> ParcelId {
        if let Some(id) = self.free.pop() {
            self.parcels[id as usize] = Some(parcel);
            return id;
        }
        self.parcels.push(Some(parcel));
        // Four thousand million parcels at a time do not fit into memory.
        (self.parcels.len() - 1) as ParcelId
    }

    /// One that was put; `None` if it was taken.
    pub(crate) fn get(&self, id: ParcelId) -> Option<&Parcel> {
        self.parcels.get(id as usize)?.as_ref()
    }

    /// Takes one that was put; `None` if it was taken before.
    #[inline]
    pub(crate) fn take(&mut self, id: ParcelId) -> Option<Parcel> {
        let parcel = self.parcels.get_mut(id as usize)?.take()?;
        self.free.push(id);
        Some(parcel)
    }
}
