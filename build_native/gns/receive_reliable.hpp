// Replaces GNS's function of this name inside its steamnetworkingsockets_snp.cpp; see gns_mended.cmake. Receives one
// segment of a lane's reliable stream, and every message that it completes.
//
// GNS's own function keeps the stream in one vector, gaps included: a byte that lies 200 MB ahead allocates and clears
// 200 MB, on each of 256 lanes. And for each message it moves the rest of the vector to the front: a million empty messages
// behind a gap of one byte, which then arrives, stop the whole process for 12 seconds.
//
// Many small messages that have waited behind a gap would all be created at once, each taking some 300 bytes for the few
// that it has. RecvBufferMessages bounds that. What it refuses stays in the stream, and since the packet is not acknowledged
// either, it arrives again, and the rest is created then; GNS's own function would never return to it.
namespace {

// The header that precedes a reliable message in the stream.
struct ReliableHeader {
	int m_cbHeader;
	int64 m_nMessageNumber;
	uint64 m_cbMessage;
};
constexpr int k_cbMaxReliableHeader = 1 + 10 + 10;

enum class EHeader { complete, needs_more, malformed };

EHeader ParseReliableHeader( const uint8 *pBegin, int cb, int64 nLastMessageNumber, ReliableHeader *pOut )
{
	constexpr int k_cbMaxVarInt = 10;
	const uint8 *const pEnd = pBegin + cb;
	const uint8 *p = pBegin;
	const uint8 nFlags = *p++;
	if ( nFlags & 0x80 )
		return EHeader::malformed;
	// Ten bytes that all announce another one are not a number, however many follow: waiting for more would take forever.
	const auto Incomplete = [pEnd]( const uint8 *pVarInt ) {
		return pEnd - pVarInt >= k_cbMaxVarInt ? EHeader::malformed : EHeader::needs_more;
	};
	pOut->m_nMessageNumber = nLastMessageNumber + 1;
	if ( nFlags & 0x40 )
	{
		uint64 nOffset;
		const uint8 *const pNext = DeserializeVarInt( p, pEnd, nOffset );
		if ( !pNext )
			return Incomplete( p );
		if ( nOffset > 1000000 )
			return EHeader::malformed;
		pOut->m_nMessageNumber = nLastMessageNumber + (int64)nOffset;
		p = pNext;
	}
	pOut->m_cbMessage = nFlags & 0x1f;
	if ( nFlags & 0x20 )
	{
		uint64 nUpperBits;
		const uint8 *const pNext = DeserializeVarInt( p, pEnd, nUpperBits );
		if ( !pNext )
			return Incomplete( p );
		if ( nUpperBits > ( UINT32_MAX >> 5 ) )
			return EHeader::malformed;
		pOut->m_cbMessage |= nUpperBits << 5;
		p = pNext;
	}
	pOut->m_cbHeader = int( p - pBegin );
	return EHeader::complete;
}

} // namespace

// Returns false if the packet must not be acknowledged, or if the connection has been ended.
bool CSteamNetworkConnectionBase::SNP_ReceiveReliableSegment( int64 nPktNum, int64 nSegBegin, const uint8 *pSegmentData, int cbSegmentSize, int idxLane, SteamNetworkingMicroseconds usecNow )
{
	using gns_mended::Stored;
	const int nLogLevel = m_connectionConfig.LogLevel_PacketDecode.Get();
	SpewVerboseGroup( nLogLevel, "[%s]   pkt %lld has reliable [%lld,%lld) of lane %d\n",
		GetDescription(), (long long)nPktNum, (long long)nSegBegin, (long long)( nSegBegin + cbSegmentSize ), idxLane );

	if ( cbSegmentSize <= 0 )
	{
		SpewWarningRateLimited( usecNow, "[%s] pkt %lld has an empty reliable segment\n", GetDescription(), (long long)nPktNum );
		return true;
	}
	switch ( GetState() )
	{
		case k_ESteamNetworkingConnectionState_Connected:
		case k_ESteamNetworkingConnectionState_FindingRoute: // about to be connected
			break;
		case k_ESteamNetworkingConnectionState_Linger:
		case k_ESteamNetworkingConnectionState_FinWait:
			return true; // it will not be read
		default:
			AssertMsg( false, "Reliable data in state %d", GetState() );
			return false;
	}

	SSNPReceiverState::Lane &lane = m_receiverState.m_vecLanes[ idxLane ];
	gns_mended::ReliableStream &stream = lane.m_reliableStream;
	const int64 nSegEnd = nSegBegin + cbSegmentSize;
	const bool bOld = nSegEnd <= stream.begin(); // has arrived before
	if ( bOld && stream.ready() == 0 )
		return true;
	if ( !bOld && nSegBegin < stream.begin() )
	{
		const int cbOld = int( stream.begin() - nSegBegin );
		pSegmentData += cbOld;
		cbSegmentSize -= cbOld;
		nSegBegin += cbOld;
	}
	if ( !bOld && nSegEnd - stream.begin() > m_connectionConfig.RecvBufferSize.Get() )
	{
		SpewWarningRateLimited( usecNow, "[%s] pkt %lld is not accepted: reliable [%lld,%lld) of lane %d is too far ahead of %lld\n",
			GetDescription(), (long long)nPktNum, (long long)nSegBegin, (long long)nSegEnd, idxLane, (long long)stream.begin() );
		return false;
	}

	const auto Store = [&]( int64 nBegin, const uint8 *pData, int cbData ) {
		switch ( stream.store( nBegin, pData, cbData, k_nMaxReliableStreamGaps_Extend, k_nMaxReliableStreamGaps_Fragment, m_receiverState.m_streamBudget ) )
		{
			case Stored::yes:
				return true;
			case Stored::too_fragmented:
			case Stored::too_far_ahead:
				SpewWarningRateLimited( usecNow, "[%s] pkt %lld is not accepted: reliable [%lld,%lld) of lane %d leaves too many gaps, or too much waits (%lld bytes)\n",
					GetDescription(), (long long)nPktNum, (long long)nBegin, (long long)( nBegin + cbData ), idxLane, (long long)m_receiverState.m_streamBudget.used );
				return false;
			case Stored::too_much:
				ConnectionState_ProblemDetectedLocally( k_ESteamNetConnectionEnd_Misc_InternalError,
					"Too much of unfinished reliable messages: %lld bytes", (long long)m_receiverState.m_streamBudget.used );
				return false;
			default:
				ConnectionState_ProblemDetectedLocally( k_ESteamNetConnectionEnd_Misc_InternalError, "Out of memory: cannot keep a reliable segment" );
				return false;
		}
	};

	// Usually nothing waits, and what arrives is next: messages are then created from the packet itself.
	const bool bDirect = stream.empty() && nSegBegin == stream.begin();
	if ( !bDirect && !bOld && !Store( nSegBegin, pSegmentData, cbSegmentSize ) )
		return false;

	const uint8 *pDirect = pSegmentData; // the part that is not used yet
	for (;;)
	{
		const int64 cbReady = bDirect ? pSegmentData + cbSegmentSize - pDirect : stream.ready();
		if ( cbReady == 0 )
			return true;
		uint8 header[ k_cbMaxReliableHeader ];
		const uint8 *pHeader = pDirect;
		int cbHeader = (int)std::min<int64>( cbReady, k_cbMaxReliableHeader );
		if ( !bDirect )
		{
			stream.peek( header, cbHeader );
			pHeader = header;
		}
		ReliableHeader next;
		const EHeader eHeader = ParseReliableHeader( pHeader, cbHeader, lane.m_nLastRecvReliableMsgNum, &next );
		if ( eHeader == EHeader::needs_more )
			break;
		if ( eHeader == EHeader::malformed )
		{
			ConnectionState_ProblemDetectedLocally( k_ESteamNetConnectionEnd_Misc_InternalError,
				"Invalid reliable message header, byte 0x%02x. Last reliable %lld", *pHeader, (long long)lane.m_nLastRecvReliableMsgNum );
			return false;
		}
		// A program may send many unreliable messages between two reliable ones, but not so many without any of them arriving.
		if ( next.m_nMessageNumber - 10000 > lane.m_nHighestSeenMsgNum )
		{
			ConnectionState_ProblemDetectedLocally( k_ESteamNetConnectionEnd_Misc_InternalError,
				"Reliable message number %lld after %lld, highest seen %lld",
				(long long)next.m_nMessageNumber, (long long)lane.m_nLastRecvReliableMsgNum, (long long)lane.m_nHighestSeenMsgNum );
			return false;
		}
		lane.m_nHighestSeenMsgNum = std::max( lane.m_nHighestSeenMsgNum, next.m_nMessageNumber );
		if ( next.m_cbMessage > (uint64)m_connectionConfig.RecvMaxMessageSize.Get() || next.m_cbMessage > (uint64)m_connectionConfig.RecvBufferSize.Get() )
		{
			ConnectionState_ProblemDetectedLocally( k_ESteamNetConnectionEnd_Misc_InternalError,
				"Reliable message size too large.  (%llu bytes)", (unsigned long long)next.m_cbMessage );
			return false;
		}
		const int cbMessage = (int)next.m_cbMessage;
		if ( next.m_cbHeader + cbMessage > cbReady )
			break;

		CSteamNetworkingMessage *const pMsg = AllocateNewRecvMessage( cbMessage, k_nSteamNetworkingSend_Reliable, usecNow );
		if ( !pMsg )
			return false;
		pMsg->m_idxLane = idxLane;
		pMsg->m_nMessageNumber = next.m_nMessageNumber;
		if ( cbMessage > 0 )
		{
			if ( bDirect )
				memcpy( pMsg->m_pData, pDirect + next.m_cbHeader, cbMessage );
			else
				stream.copy( pMsg->m_pData, next.m_cbHeader, cbMessage );
		}
		if ( !ReceivedMessage( pMsg ) )
			return false;
		lane.m_nLastRecvReliableMsgNum = next.m_nMessageNumber;
		const int cbUsed = next.m_cbHeader + cbMessage;
		if ( bDirect )
		{
			stream.pass( cbUsed );
			pDirect += cbUsed;
		}
		else
		{
			stream.consume( cbUsed );
		}
	}
	return !bDirect || Store( stream.begin(), pDirect, int( pSegmentData + cbSegmentSize - pDirect ) );
}
