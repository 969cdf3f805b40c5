/** Why a lab could not be made or used. */
export type LabErrorCode =
  | 'FL_LAB_REQUIREMENTS' // this machine cannot have a lab
  | 'FL_LAB_PROCESS' // a process of the lab ended, or did not say in time that it is ready
  | 'FL_LAB_STATE' // the lab is not in the state that the call needs (a node that is off, a lab that is stopped)
  | 'FL_LAB_ARGUMENT'
  | 'FL_LAB_TIMEOUT'; // something did not happen within the time that was given

export class LabError extends Error {
  override readonly name = 'LabError';
  readonly code: LabErrorCode;

  constructor(code: LabErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
