//! One connection's bytes inside a call: what stands in for a TCP stream.

use futures_util::{Stream, stream};
use prost::bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadHalf, WriteHalf};
use tonic::Streaming;

use super::generated::auscult_v1::Chunk;

/// The two ends of a connection that has no socket.
pub(super) fn connection() -> (DuplexStream, DuplexStream) {
    tokio::io::duplex(BUFFER_BYTES)
}

/// What is written to the other end, as chunks, until that end closes its half.
pub(super) fn outgoing(reader: ReadHalf<DuplexStream>) -> impl Stream<Item = Chunk> + Send + use<> {
    stream::unfold(
        (reader, BytesMut::new()),
        |(mut reader, mut buffer)| async {
            buffer.reserve(CHUNK_BYTES);
            match reader.read_buf(&mut buffer).await {
                Ok(0) | Err(_) => None,
                Ok(_) => {
                    let content = buffer.split().freeze();
                    Some((Chunk { content }, (reader, buffer)))
                }
            }
        },
    )
}

/// Writes what arrives to the other end, until either side has enough.
pub(super) async fn incoming(mut chunks: Streaming<Chunk>, mut writer: WriteHalf<DuplexStream>) {
    while let Ok(Some(Chunk { content })) = chunks.message().await {
        if writer.write_all(&content).await.is_err() {
            return;
        }
    }
    // The other end reads to here, then it is the end.
    let _gone = writer.shutdown().await;
}

const BUFFER_BYTES: usize = 16 * 1024;
const CHUNK_BYTES: usize = 8 * 1024;
/// What is taken of a chunk: others may send longer ones than we do.
pub(super) const CHUNK_BYTES_MAX: usize = 64 * 1024;
