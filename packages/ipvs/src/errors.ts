/** The errors of this package. Kernel refusals stay what they are: NetlinkError and NftError. */

export type ErrorCode =
  /** A host setting that forwarding needs and that is not ours to change. */
  | 'FL_HOST_SYSCTL'
  /** A setting of the director that the kernel does not have or take. */
  | 'FL_SYSCTL'
  /** A network namespace of the director's name that Fairlead has not made. */
  | 'FL_FOREIGN_NETNS'
  /** A host interface of our name that does not lead to the director. */
  | 'FL_FOREIGN_INTERFACE'
  /** An nftables table of our name in the director that Fairlead has not made. */
  | 'FL_FOREIGN_TABLE'
  /** No name for a network namespace. */
  | 'FL_BAD_NAME'
  /** The kernel lacks a module or an expression that a director needs. */
  | 'FL_KERNEL_FEATURE'
  /** This process may not do what making a director takes. */
  | 'FL_PRIVILEGES'
  /** A change was asked for before the first whole state. */
  | 'FL_NOT_SYNCED'
  /** The addresses between host and director are in use on this host. */
  | 'FL_LINK_ADDRESS_TAKEN'
  /** No interface to the director: it has to be made first. */
  | 'FL_NO_DIRECTOR'
  /** The kernel took some of a change and refused the rest. */
  | 'FL_PARTLY_APPLIED'
  /** A change of virtual servers before there is a state to change. */
  | 'FL_NOT_SYNCED'
  /** There is no virtual router of this number. */
  | 'FL_BAD_INDEX'
  /** A default scheduler that there is not. */
  | 'FL_BAD_SCHEDULER';

/** Message: what was attempted, on what, why it failed, what to do. `code` is stable. */
export class ForwardingError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ForwardingError';
    this.code = code;
  }
}
