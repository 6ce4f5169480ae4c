"""Runs of transformers' own Trainer, for src/training: `make_figures.py` under transformers 5.18, and again under 4.57.6."""
import json, os, sys, tempfile, shutil, torch
from transformers import Gemma2ForCausalLM, PreTrainedTokenizerFast, Trainer, TrainingArguments, DataCollatorForLanguageModeling, DataCollatorWithFlattening, TrainerCallback, EarlyStoppingCallback, set_seed
from peft import PeftModel
torch.set_num_threads(1)
REF = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'gemma2-tiny')
out = os.path.join(REF, 'runs')
tok=PreTrainedTokenizerFast.from_pretrained(REF+'/tiny-gemma2'); tok.padding_side='right'
ROWS=[{k:r[k] for k in('input_ids','attention_mask')} for r in json.load(open(REF+'/rows.json'))]
class Rows(torch.utils.data.Dataset):
    def __init__(s,n): s.n=n
    def __len__(s): return s.n
    def __getitem__(s,i):
        if i>=s.n: raise IndexError
        return dict(ROWS[i])
class InOrder(Trainer):
    def _get_train_sampler(s,*a,**k):
        if s.args.train_sampling_strategy=='group_by_length': return super()._get_train_sampler(*a,**k)
        return torch.utils.data.SequentialSampler(s.train_dataset)
class Trace(TrainerCallback):
    def __init__(s): s.trace=[]
    def on_save(s,args,state,control,**k):
        s.trace.append(dict(event='save',step=state.global_step,epoch=state.epoch,checkpoints=sorted((d for d in os.listdir(args.output_dir) if d.startswith('checkpoint-')),key=lambda x:int(x.split('-')[1])),best_model_checkpoint=os.path.basename(state.best_model_checkpoint or '') or None,best_metric=state.best_metric))
def clean(s):
    def fix(x):
        if isinstance(x,dict): return {k:fix(y) for k,y in x.items() if not any(w in k for w in('runtime','per_second'))}
        if isinstance(x,list): return [fix(y) for y in x]
        if isinstance(x,str) and 'checkpoint-' in x: return os.path.basename(x)
        return x
    return fix(s)
def run(name,n_train,n_eval,args,metrics=None,early=None,collator=None):
    set_seed(0)
    base=Gemma2ForCausalLM.from_pretrained(REF+'/tiny-gemma2',attn_implementation='eager').float()
    pm=PeftModel.from_pretrained(base,REF+'/adapter-initial',is_trainable=True)
    work=tempfile.mkdtemp(); it=iter(metrics or [])
    args.pop('compat', None); kw={}
    if metrics is not None: kw['compute_metrics']=lambda ep:{'combined_score':next(it)}
    ta=TrainingArguments(output_dir=work,report_to=[],use_cpu=True,disable_tqdm=True,seed=0,**args)
    tr=Trace(); cbs=[tr]
    if early: cbs.append(EarlyStoppingCallback(**early))
    t=InOrder(model=pm,args=ta,train_dataset=Rows(n_train),eval_dataset=Rows(n_eval) if n_eval else None,data_collator=DataCollatorWithFlattening() if collator=='flattening' else DataCollatorForLanguageModeling(tokenizer=tok,mlm=False,pad_to_multiple_of=8),callbacks=cbs,**kw)
    res=t.train()
    ck=sorted((x for x in os.listdir(work) if x.startswith('checkpoint-')),key=lambda s:int(s.split('-')[1]))
    info=dict(args=args,**({'collator':collator} if collator else {}),n_train=n_train,n_eval=n_eval,scripted_metrics=metrics,early_stopping=early,initial_adapter='adapter-initial',optimizer_steps=res.global_step,training_loss=res.training_loss,trace=tr.trace,log_history=clean(t.state.log_history),checkpoints_left=ck,checkpoint_files=sorted(os.listdir(os.path.join(work,ck[-1]))) if ck else [],trainer_state=clean(json.load(open(os.path.join(work,ck[-1],'trainer_state.json')))) if ck else None)
    d=os.path.join(out,name); os.makedirs(d,exist_ok=True)
    json.dump(info,open(os.path.join(d,'run.json'),'w'),ensure_ascii=False,indent=1)
    shutil.rmtree(work); print(name,res.global_step,ck)
C=dict(logging_steps=1,per_device_train_batch_size=2,per_device_eval_batch_size=2,learning_rate=5e-3,weight_decay=0.06,max_grad_norm=0.5,optim='adamw_torch')
import transformers


def newest():
    run('label-smoothing',10,5,dict(C,max_steps=6,gradient_accumulation_steps=2,label_smoothing_factor=0.1,eval_strategy='steps',eval_steps=3,save_strategy='no'))
    run('by-epoch',9,4,dict(C,logging_strategy='epoch',num_train_epochs=2.5,gradient_accumulation_steps=2,eval_strategy='epoch',save_strategy='epoch',save_total_limit=1,load_best_model_at_end=True,lr_scheduler_type='cosine',warmup_steps=0.1))
    run('save-best',10,2,dict(C,max_steps=6,lr_scheduler_type='constant',eval_strategy='steps',eval_steps=1,save_strategy='best',save_total_limit=1,load_best_model_at_end=True,metric_for_best_model='combined_score'),metrics=[.3,.2,.5,.5,.9,.1])
    run('ratio-steps',11,3,dict(C,max_steps=10,logging_steps=0.25,eval_strategy='steps',eval_steps=0.3,save_strategy='steps',save_steps=0.3,logging_first_step=True,load_best_model_at_end=True,eval_on_start=True))
    run('eval-delay',8,2,dict(C,num_train_epochs=2,eval_strategy='steps',eval_steps=2,eval_delay=5,save_strategy='no',max_grad_norm=0,adam_beta1=0.8,adam_beta2=0.95,adam_epsilon=1e-6))
    run('plateau',8,2,dict(C,max_steps=8,lr_scheduler_type='reduce_lr_on_plateau',lr_scheduler_kwargs=dict(patience=1,factor=0.5),eval_strategy='steps',eval_steps=1,save_strategy='no',metric_for_best_model='combined_score'),metrics=[.9,.5,.6,.7,.8,.4,.5,.6])
    run('early-stopping',10,2,dict(C,max_steps=9,eval_strategy='steps',eval_steps=1,save_strategy='steps',save_steps=1,metric_for_best_model='combined_score',load_best_model_at_end=True,save_total_limit=2),metrics=[.5,.7,.6,.72,.65,.7,.9],early=dict(early_stopping_patience=3,early_stopping_threshold=0.05))
    run('tokens-seen',11,0,dict(C,max_steps=8,gradient_accumulation_steps=2,include_num_input_tokens_seen='non_padding',train_sampling_strategy='group_by_length',per_device_train_batch_size=1,lr_scheduler_type='warmup_stable_decay',lr_scheduler_kwargs=dict(num_decay_steps=3),warmup_steps=2,save_strategy='no',eval_strategy='no',dataloader_drop_last=True))
    again()


def again():
    run('packed',10,5,dict(C,max_steps=5,gradient_accumulation_steps=2,eval_strategy='steps',eval_steps=2,save_strategy='no'),collator='flattening')
    run('grouped-evaluation',9,7,dict(C,max_steps=4,data_seed=5,train_sampling_strategy='group_by_length',eval_strategy='steps',eval_steps=2,eval_on_start=True,dataloader_drop_last=True,save_strategy='no'))
    run('greedy',8,2,dict(C,max_steps=8,lr_scheduler_type='greedy',lr_scheduler_kwargs=dict(patience=0,factor=0.5,min_lr=1e-3,smooth=True,window_size=2,reset_start=1,cooldown=1),eval_strategy='steps',eval_steps=1,save_strategy='no',metric_for_best_model='combined_score'),metrics=[.9,.5,.4,.7,.8,.9,.95,.5])


def checkpoint():
    import shutil
    set_seed(0)
    base=Gemma2ForCausalLM.from_pretrained(REF+'/tiny-gemma2',attn_implementation='eager').float()
    pm=PeftModel.from_pretrained(base,REF+'/adapter-initial',is_trainable=True)
    work=tempfile.mkdtemp()
    ta=TrainingArguments(output_dir=work,report_to=[],use_cpu=True,disable_tqdm=True,seed=0,per_device_train_batch_size=2,gradient_accumulation_steps=2,max_steps=3,logging_steps=1,learning_rate=5e-3,lr_scheduler_type='constant',save_steps=2,optim='adamw_torch')
    class NaNs(TrainerCallback):
        def on_log(s,args,state,control,logs=None,**k):
            state.log_history[-1]['note']=float('nan')
    t=InOrder(model=pm,args=ta,train_dataset=Rows(10),data_collator=DataCollatorForLanguageModeling(tokenizer=tok,mlm=False,pad_to_multiple_of=8),callbacks=[NaNs()])
    t.train()
    d=os.path.join(REF,'python-checkpoint'); os.makedirs(d,exist_ok=True)
    for f in ('adapter_model.safetensors','adapter_config.json','trainer_state.json','scheduler.pt'):
        shutil.copy(work+'/checkpoint-2/'+f,d)
    c=json.load(open(d+'/adapter_config.json')); c['base_model_name_or_path']='tiny-gemma2'; c['target_modules']=sorted(c['target_modules']); json.dump(c,open(d+'/adapter_config.json','w'),indent=2)
    json.dump(clean([{k:v for k,v in e.items() if k!='note'} for e in t.state.log_history]),open(d+'/log_history.json','w'),indent=1)


def older():
    run('hf4.57-notebook',21,5,dict(C,num_train_epochs=3,gradient_accumulation_steps=8,warmup_ratio=0.25,lr_scheduler_type='cosine_with_restarts',eval_strategy='steps',eval_steps=4,save_strategy='steps',save_steps=4,save_total_limit=1,load_best_model_at_end=True,metric_for_best_model='eval_loss'))
    run('hf4.57-no-clip',10,4,dict(C,num_train_epochs=2,gradient_accumulation_steps=2,lr_scheduler_type='linear',warmup_steps=2,logging_steps=2,eval_strategy='epoch',save_strategy='no',max_grad_norm=0,label_smoothing_factor=0.1))


if transformers.__version__ >= '5': again() if 'again' in sys.argv else (newest(), checkpoint())
else: older()  # "compat": "hf4.57" was added to their args afterwards
